"""Filter text to tree, by a LALR grammar: neither lexer, parser nor tree building recurses, whatever the text."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from services.core.errors import HilumError
from services.core.filters.ast import And, Expr, Not, Operator, Or, check_size
from services.core.filters.fields import LABELS, SIDE, compare, field, is_number, present, refuse, side_key
from services.core.labels import label_key
from services.core.limits import MAX_FILTER_CHARS

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LOWER = re.compile(r"(and|or|not)\b")
_RESERVED = re.compile(r"(AND|OR|NOT)\b")


@lru_cache(maxsize=256)  # trees are immutable, and most questions come with a filter that came before
def parse(text: str) -> Expr | None:
    """Read a filter; an empty one is None and selects everything.

    Raises INVALID_FILTER with the position (counted from 1), what was expected there, and the closest known name.
    """
    if len(text) > MAX_FILTER_CHARS:
        raise refuse(f"the filter is too long; at most {MAX_FILTER_CHARS} characters")
    if not text.strip():
        return None
    if found := _CONTROL.search(text):
        raise refuse(f"at position {found.start() + 1}: a character that cannot stand in a filter")
    try:
        expr: Expr = _parser().parse(text)  # type: ignore[assignment]  # the transformer's result, not lark's tree
    except UnexpectedInput as error:
        raise _explain(error, text) from None
    check_size(expr)
    return expr


class _Builder(Transformer[Token, Expr]):
    """Builds the tree while the parser reduces."""

    def comparison(self, children: list[Token | None]) -> Expr:
        name, key, below, operator, value = children
        assert name is not None and operator is not None and value is not None
        at = name
        try:
            dotted = _dotted(str(name), key, below)
            if dotted == "labels" and operator == ":":  # AIP-160: a map has a key
                at = value
                return present(LABELS + _text(value))
            known, at = field(dotted).name, value
            return _comparison(known, str(operator), value)
        except HilumError as error:
            raise refuse(f"at position {(at.start_pos or 0) + 1}: {error.client_message}") from None

    def conjunction(self, operands: list[Expr]) -> Expr:
        return And(tuple(operands))

    def disjunction(self, operands: list[Expr]) -> Expr:
        return Or(tuple(operands))

    def complement(self, operands: list[Expr]) -> Expr:
        return Not(operands[0])


def _dotted(name: str, key: Token | None, below: Token | None) -> str:
    """``labels."Pleural Effusion".chexpert``: a dot within a quoted part is no dot between parts."""
    if key is None:
        return name
    first = label_key(_text(key)) if name == "labels" else side_key(_text(key)) if name == "side" else _text(key)
    return f"{name}.{first}" if below is None else f"{name}.{first}.{_text(below)}"


def _comparison(name: str, operator: str, value: Token) -> Expr:
    if operator == ":" and value.type == "STAR":
        return present(name)
    operator = "=" if operator == ":" else operator
    if value.type == "STAR":
        raise refuse(f'{operator} needs a value; "is known" is written with a colon, as in view:*')
    if name.startswith(SIDE) and value.type == "WORD" and is_number(value):  # in quotes it is text
        return compare(name, Operator(operator), float(value))
    return compare(name, Operator(operator), _text(value))


def _text(token: Token) -> str:
    if token.type == "STRING":
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return str(token)


@cache
def _parser() -> Lark:
    grammar = (Path(__file__).parent / "filter.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=_Builder(), maybe_placeholders=True)


def _explain(error: UnexpectedInput, text: str) -> HilumError:
    at = len(text)
    expected: set[str] = set()
    if isinstance(error, UnexpectedCharacters):
        at, expected = error.pos_in_stream or 0, set(error.allowed or ())
    elif isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        if error.token.type != "$END":
            at = error.token.start_pos or 0
    if "KEY" in expected:
        wanted = 'the name of a finding, as in labels.edema or labels."Pleural Effusion"'
    elif "OPERATOR" in expected:
        wanted = "one of = != < <= > >= :"
    elif "WORD" in expected:
        wanted = "a value"
    elif "FIELD" in expected:
        wanted = 'a condition such as view = "PA", NOT or ('
    else:
        wanted = "AND, OR" + (", )" if "_CLOSE" in expected else "") + " or the end"
    hint = ""
    if _LOWER.match(text, at):
        hint = "; AND, OR and NOT are written in capitals"
    elif "WORD" in expected and _RESERVED.match(text, at):
        hint = "; as a value, the words AND, OR and NOT stand in quotes"
    elif text[at : at + 1] in ("'", '"'):
        hint = "; is a quote left open? Inside quotes, quotes and backslashes are written with a backslash before them"
    elif at < len(text) and "_AND" in expected:
        hint = "; a value with spaces or signs stands in quotes, and OR binds tighter than AND"
    return refuse(f"at position {at + 1}: expected {wanted}{hint}")
