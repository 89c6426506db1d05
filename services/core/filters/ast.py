"""A filter as a frozen tree. `fields` builds the leaves, so that a tree never holds an unknown field or value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from services.core.errors import ErrorCode, HilumError
from services.core.limits import MAX_FILTER_CONDITIONS, MAX_FILTER_DEPTH


class Operator(StrEnum):
    """How a field is compared. Presence (``view:*``) is `Present`, not an operator."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True, slots=True)
class Compare:
    """``field operator value``. False wherever the field is unknown, for != as for the others.

    field: a name of `fields.FIELDS`, ``labels.<key>``, ``labels.<key>.<source>`` or ``side.<table>.<column>``.
    value: a float for numbers, else text (dates as ISO 8601, label states as `LabelState` values; only there does
    ``unknown`` have a meaning: nobody stated the finding; of side tables as it was typed).
    """

    field: str
    operator: Operator
    value: str | float


@dataclass(frozen=True, slots=True)
class Present:
    """``field:*``: the field is known; for ``labels.<key>``: somebody stated something of the finding."""

    field: str


@dataclass(frozen=True, slots=True)
class Within:
    """The field has one of many values: what `resolve` puts in the place of conditions that only SQL can answer."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The plain complement: every film that `operand` does not select, unknown values included."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class And:
    """All of at least two."""

    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of at least two."""

    operands: tuple[Expr, ...]


Leaf: TypeAlias = Compare | Present | Within
Expr: TypeAlias = Leaf | Not | And | Or


def all_of(*exprs: Expr | None) -> Expr | None:
    """The conjunction of those that are not None (None selects everything)."""
    parts: list[Expr] = []
    for expr in exprs:
        parts += expr.operands if isinstance(expr, And) else [expr] if expr is not None else []
    return And(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None


def any_of(*exprs: Expr) -> Expr:
    """The disjunction of one or more."""
    return Or(exprs) if len(exprs) > 1 else exprs[0]


def not_(expr: Expr) -> Expr:
    """The plain complement."""
    return Not(expr)


def leaves(expr: Expr | None) -> Iterator[Leaf]:
    """Every condition of a filter."""
    waiting = [expr] if expr is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, Not):
            waiting.append(node.operand)
        elif isinstance(node, And | Or):
            waiting.extend(node.operands)
        else:
            yield node


def findings(expr: Expr | None) -> set[str]:
    """Keys of the findings that a filter speaks of: ``{"edema"}`` for ``labels.edema = present``."""
    return {leaf.field.split(".")[1] for leaf in leaves(expr) if leaf.field.startswith("labels.")}


def alternatives(expr: Or) -> tuple[str, list[str]] | None:
    """Field and values of ``f = a OR f = b OR …`` over one field of text, which stores answer faster as a list."""
    name = ""
    values: list[str] = []
    for operand in expr.operands:
        if not (isinstance(operand, Compare) and operand.operator is Operator.EQ and isinstance(operand.value, str)):
            return None
        if values and operand.field != name:
            return None
        name = operand.field
        values.append(operand.value)
    return name, values


def check_size(expr: Expr) -> None:
    """Raise INVALID_FILTER for a tree beyond the caps. Walks without recursion: no depth can overflow the stack."""
    waiting: list[tuple[Expr, int]] = [(expr, 1)]
    conditions = 0
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_FILTER_DEPTH:
            raise HilumError(
                ErrorCode.INVALID_FILTER, f"the filter is nested too deeply; at most {MAX_FILTER_DEPTH} levels"
            )
        if isinstance(node, Not):
            waiting.append((node.operand, depth + 1))
        elif isinstance(node, And | Or):
            waiting.extend((operand, depth + 1) for operand in node.operands)
        else:
            conditions += 1
    if conditions > MAX_FILTER_CONDITIONS:
        raise HilumError(
            ErrorCode.INVALID_FILTER, f"the filter has too many conditions; at most {MAX_FILTER_CONDITIONS}"
        )
