"""Tree to canonical text: what provenance shows, and what `parse` reads back to the same tree."""

from __future__ import annotations

from services.core.filters.ast import And, Compare, Expr, Not, Or, Present
from services.core.filters.fields import Kind, field


def describe(expr: Expr | None) -> str:
    """Canonical text of a filter; empty for None. Nested AND and OR always stand in parentheses."""
    if expr is None:
        return ""
    match expr:
        case Compare():
            return f"{expr.field} {expr.operator} {_value(expr)}"
        case Present():
            return f"{expr.field}:*"
        case Not():
            return f"NOT {_inner(expr.operand)}"
        case And():
            return " AND ".join(_inner(operand) for operand in expr.operands)
        case Or():
            return " OR ".join(_inner(operand) for operand in expr.operands)


def _inner(expr: Expr) -> str:
    return f"({describe(expr)})" if isinstance(expr, And | Or) else describe(expr)


def _value(expr: Compare) -> str:
    if isinstance(expr.value, float):
        return repr(expr.value).removesuffix(".0")
    if field(expr.field).kind in (Kind.DATE, Kind.STATE):
        return expr.value
    escaped = expr.value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
