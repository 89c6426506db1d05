"""Tree to SQL, over `schema.images` and what hangs on it. Every leaf is true or false, never NULL, so NOT is a
complement."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, case, exists, false, func, literal, not_, or_, select, true, tuple_

from services.core.facts.schema import images, labels, members, reports, sets, side_rows
from services.core.filters.ast import And, Compare, Expr, Not, Operator, Or, Present, Within, alternatives
from services.core.filters.fields import FIELDS, LABELS, REPORT, SIDE, Kind
from services.core.labels import LabelState

Condition = ColumnElement[bool]
LEVELS = {"image": images.c.image_id, "study": images.c.study_id, "patient": images.c.patient_id}
DELETING = "deleting"
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
        case Within():
            return and_(_known(expr.field), column(expr.field).in_(expr.values)) if expr.values else false()
        case Present() if expr.field.startswith(SIDE):
            return or_(_cell(expr.field, _number), _cell(expr.field, _text))
        case Present():
            return _known(expr.field)
        case Compare() if expr.field.startswith(LABELS):
            return _state(expr)
        case Compare() if expr.field.startswith(SIDE):
            return _cell(expr.field, _number if isinstance(expr.value, float) else _text, expr)
        case Compare() if FIELDS[expr.field].kind is Kind.SET:
            inside = _member(expr.field, str(expr.value))
            return inside if expr.operator is Operator.EQ else and_(_member(expr.field), not_(inside))
        case Compare():
            return and_(_known(expr.field), _COMPARE[expr.operator](column(expr.field), _given(expr.value)))


def column(name: str) -> ColumnElement[Any]:
    """The column of a field; yes and no for what is true or false."""
    found = images.c[name]
    return case((found.is_(True), "yes"), (found.is_(False), "no")) if found.type.python_type is bool else found


def _any(expr: Or) -> Condition:
    one_field = alternatives(expr)
    if one_field and one_field[0] in images.c:
        name, values = one_field
        return and_(_known(name), column(name).in_([_given(value) for value in values]))
    return or_(*(to_sql(operand) for operand in expr.operands))


def _given(value: object) -> Any:
    """A number stays what it is: PostgreSQL would round it to a whole one for a column of whole numbers."""
    return literal(value, Float) if isinstance(value, float) else value


def _known(name: str) -> Condition:
    if name.startswith(LABELS):
        return _stated(name)
    if name == REPORT:
        return exists().where(reports.c.dataset == images.c.dataset, reports.c.study_id == images.c.study_id)
    if FIELDS[name].kind is Kind.SET:
        return _member(name)
    found = images.c[name]
    if found.type.python_type is str:  # the payload leaves out what is empty, too
        return and_(found.is_not(None), found != "")
    return found.is_not(None)


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
    """Does any source, or the one named, say one of `states` (by default: anything) of the finding?"""
    finding, _, source = name.removeprefix(LABELS).partition(".")
    row = and_(labels.c.image_id == images.c.image_id, labels.c.name == finding)
    if source:  # as `core.labels.source_key` has it
        said_by = func.lower(labels.c.source) if source.isascii() else labels.c.source
        row = and_(row, said_by == source)
    if states:
        row = and_(row, labels.c.state.in_([state.value for state in states]))
    return exists().where(row).correlate(images)


def _member(kind: str, set_id: str = "") -> Condition:
    """Is the film in the set, or in any set of this kind?"""
    mine = select(members.c.image_id).join(sets, sets.c.set_id == members.c.set_id)
    mine = mine.where(sets.c.kind == kind, sets.c.state != DELETING)
    return images.c.image_id.in_(mine.where(sets.c.set_id == set_id) if set_id else mine)


def _cell(name: str, read: Callable[[str], ColumnElement[Any]], expr: Compare | None = None) -> Condition:
    """Does the row of the film, of its study or of its patient have such a cell? Each row is read once, not once for
    each of the films that it speaks of."""
    table, column_name = name.removeprefix(SIDE).split(".")
    cell = read(column_name)
    wanted = cell.is_not(None) if expr is None else _COMPARE[expr.operator](cell, _given(expr.value))
    rows = select(side_rows.c.dataset, side_rows.c.key).where(side_rows.c.side == table, wanted)
    return or_(*(
        and_(key.is_not(None), tuple_(images.c.dataset, key).in_(rows.where(side_rows.c.level == level)))
        for level, key in LEVELS.items()
    ))  # fmt: skip


def _number(name: str) -> ColumnElement[Any]:
    cell: ColumnElement[Any] = side_rows.c.facts[("number", name)].as_float()
    return cell


def _text(name: str) -> ColumnElement[Any]:
    cell: ColumnElement[Any] = side_rows.c.facts[("text", name)].as_string()
    return cell
