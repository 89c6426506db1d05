"""Tree to canonical text: what provenance shows, and what `parse` reads back to the same tree."""

from __future__ import annotations

import re

from services.core.filters.ast import And, Compare, Expr, Not, Or, Present, Within
from services.core.filters.fields import LABELS, Kind, field

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


def describe(expr: Expr | None) -> str:
    """Canonical text of a filter; empty for None. Nested AND and OR always stand in parentheses."""
    if expr is None:
        return ""
    match expr:
        case Compare():
            return f"{_name(expr.field)} {expr.operator} {_value(expr)}"
        case Present():
            return f"{_name(expr.field)}:*"
        case Within():
            return " OR ".join(f"{expr.field} = {_quoted(value)}" for value in expr.values) or "NOT image_id:*"
        case Not():
            return f"NOT {_inner(expr.operand)}"
        case And():
            return " AND ".join(_inner(operand) for operand in expr.operands)
        case Or():
            return " OR ".join(_inner(operand) for operand in expr.operands)


def _inner(expr: Expr) -> str:
    return f"({describe(expr)})" if isinstance(expr, And | Or | Within) else describe(expr)


def _value(expr: Compare) -> str:
    if isinstance(expr.value, float):
        return repr(expr.value).removesuffix(".0")
    if field(expr.field).kind in (Kind.DATE, Kind.STATE):
        return expr.value
    return _quoted(expr.value)


def _name(name: str) -> str:
    """A field as it is typed: sources of labels may be called anything."""
    if not name.startswith(LABELS):
        return name
    finding, dot, source = name[len(LABELS) :].partition(".")
    return f"{LABELS}{finding}{dot}{source if not dot or _PLAIN.fullmatch(source) else _quoted(source)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
