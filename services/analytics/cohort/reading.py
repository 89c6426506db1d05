"""Text and plain JSON into frozen dataclasses, strictly: no field that is unknown, twice there, or of another type.

What is read comes from strangers: texts are bounded, nest little, and hold no alias, so that none unfolds into more
than it is long.
"""

from __future__ import annotations

import difflib
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar

import yaml

from services.core.errors import ErrorCode, HilumError, invalid

MAX_CHARS = 16 * 2**20  # 200,000 ids with their commas, and the rest
_MAX_DEPTH = 12


def parsed(text: str) -> Mapping[str, Any]:
    """A YAML or JSON text of one mapping. Raises INVALID_ARGUMENT, PAYLOAD_TOO_LARGE."""
    if len(text) > MAX_CHARS:
        raise HilumError(
            ErrorCode.PAYLOAD_TOO_LARGE,
            "a specification is at most 16 MiB of text; keep its films as a set, and name it",
        )
    try:
        told = json.loads(text, object_pairs_hook=_once) if text.lstrip()[:1] == "{" else _yaml(text)
    except (ValueError, RecursionError):
        raise invalid("this is no YAML and no JSON; see the example in the guide to cohorts") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise invalid(f"this is no YAML{where}; quote texts that hold ': ' or begin with a special character") from None
    if not isinstance(told, Mapping):
        raise invalid("a specification is a mapping: name, criteria and so on")
    return told


def read(kind: Any, given: Any, where: str = "") -> Any:
    """`given` as a dataclass of type `kind`. Raises INVALID_ARGUMENT, saying where."""
    if not isinstance(given, Mapping):
        raise invalid(f"{where or 'a specification'} is a mapping of names to values")
    known = _hints(kind)
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name)[:64], known, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
            raise invalid(f"{where or 'a specification'} has no such field{hint}")
    told = {name: value for name, value in given.items() if value not in ("", None, [])}  # as what is not said
    found = {name: _value(known[name], value, f"{where}.{name}".lstrip(".")) for name, value in told.items()}
    try:
        return kind(**found)
    except TypeError:
        lacking = [each.name for each in fields(kind) if _needed(each) and each.name not in found]
        raise invalid(f"{where or 'a specification'} needs {', '.join(lacking)}") from None
    except HilumError as error:
        if not where or error.code not in (ErrorCode.INVALID_ARGUMENT, ErrorCode.INVALID_FILTER):
            raise
        raise HilumError(error.code, f"{where}: {error.client_message}") from None


def _needed(one: Any) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def plain(one: Any) -> dict[str, Any]:
    """A dataclass as plain JSON, without what is at its default."""
    told = {}
    for each in fields(one):
        value = getattr(one, each.name)
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if value != default:
            told[each.name] = _plain(value)
    return told


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return plain(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in sorted(value.items())}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _value(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):  # of one kind and None
        return None if value is None else _value(typing.get_args(kind)[0], value, where)
    if is_dataclass(kind):
        return read(kind, value, where)
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise invalid(f"{where} is a list")
        return tuple(_value(typing.get_args(kind)[0], each, f"{where}[{n}]") for n, each in enumerate(value))
    if origin is not None:
        if not isinstance(value, Mapping):
            raise invalid(f"{where} is a mapping of names to numbers")
        of = typing.get_args(kind)[1]
        return {_value(str, name, where): _value(of, each, where) for name, each in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise invalid(f"{where} is {_WORDS[kind]}" + ("; put it in quotes" if kind is str else ""))
    return value


_WORDS: dict[Any, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise invalid("a field is there twice; name each once")
    return found


class _Loader(yaml.CSafeLoader):
    """YAML's safe subset that names nothing twice, with the scalars of YAML 1.2: of 1.1 ``1:2`` is 62, and NO false."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(names)) < len(names):
            raise invalid("a field is there twice; name each once")
        return super().construct_mapping(node, deep)


for _tag, _form, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_form})$"), _first)


def _yaml(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise invalid("aliases (*name) are not read here; write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise invalid(f"a specification nests at most {_MAX_DEPTH} deep")
    return yaml.load(text, Loader=_Loader)
