"""Tree to SQL, over `schema.images` and its labels. Every leaf is true or false, never NULL, so NOT is a complement."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, exists, literal, not_, or_, true

from services.core.facts.schema import images, labels
from services.core.filters.ast import And, Compare, Expr, Not, Operator, Or, Present, alternatives
from services.core.filters.fields import LABELS
from services.core.labels import LabelState

Condition = ColumnElement[bool]
_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}


def to_sql(expr: Expr | None) -> Condition:
    """A condition on `schema.images` that selects the same films as `to_qdrant` does; true for everything."""
    if expr is None:
        return true()
    match expr:
        case And():
            return and_(*(to_sql(operand) for operand in expr.operands))
        case Or():
            return _any(expr)
        case Not():
            return not_(to_sql(expr.operand))
        case Present():
            return _known(expr.field)
        case Compare() if expr.field.startswith(LABELS):
            return _state(expr)
        case Compare():
            return and_(_known(expr.field), _COMPARE[expr.operator](images.c[expr.field], _given(expr.value)))


def _any(expr: Or) -> Condition:
    one_field = alternatives(expr)
    if one_field and not one_field[0].startswith(LABELS):
        name, values = one_field
        return and_(_known(name), images.c[name].in_([_given(value) for value in values]))
    return or_(*(to_sql(operand) for operand in expr.operands))


def _given(value: object) -> Any:
    """A number stays what it is: PostgreSQL would round it to a whole one for a column of whole numbers."""
    return literal(value, Float) if isinstance(value, float) else value


def _known(name: str) -> Condition:
    if name.startswith(LABELS):
        return _stated(name)
    column = images.c[name]
    if column.type.python_type is str:  # the payload leaves out what is empty, too
        return and_(column.is_not(None), column != "")
    return column.is_not(None)


def _state(expr: Compare) -> Condition:
    wanted = LabelState(str(expr.value))
    condition = _merged(expr.field, wanted)
    if expr.operator is Operator.EQ:
        return condition
    return and_(_stated(expr.field), not_(condition))


def _merged(name: str, state: LabelState) -> Condition:
    """`core.labels.merge` in SQL: sources that agree keep their state, sources that differ are uncertain."""
    if state is LabelState.UNKNOWN:
        return not_(_stated(name))
    if state is LabelState.UNCERTAIN:
        split = and_(_stated(name, LabelState.PRESENT), _stated(name, LabelState.ABSENT))
        return or_(_stated(name, LabelState.UNCERTAIN), split)
    others = {LabelState.PRESENT, LabelState.ABSENT, LabelState.UNCERTAIN} - {state}
    return and_(_stated(name, state), not_(_stated(name, *others)))


def _stated(name: str, *states: LabelState) -> Condition:
    """Does any source say one of `states` (by default: anything) of the finding?"""
    row = and_(labels.c.image_id == images.c.image_id, labels.c.name == name.removeprefix(LABELS))
    if states:
        row = and_(row, labels.c.state.in_([state.value for state in states]))
    return exists().where(row).correlate(images)
