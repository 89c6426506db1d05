"""Tree to Qdrant filter, over the payload that `services.core.store.payload` writes."""

from __future__ import annotations

from datetime import UTC, datetime

from qdrant_client import models

from services.core.filters.ast import And, Compare, Expr, Not, Operator, Or, Present, Within, alternatives
from services.core.filters.fields import LABELS, REPORT, SIDE, refuse
from services.core.labels import LabelState

_BOUND = {Operator.LT: "lt", Operator.LE: "lte", Operator.GT: "gt", Operator.GE: "gte"}
_STATES = [state.value for state in LabelState if state is not LabelState.UNKNOWN]
STATED = "stated"  # what each source says, in one list of ``finding.source=state``: one index for all of them


def to_qdrant(expr: Expr | None) -> models.Filter | None:
    """The filter that selects the same films as `to_sql` does; None for everything.

    What only facts know (side tables, reports) must have been through `resolve`: raises INVALID_FILTER.
    """
    if expr is None:
        return None
    condition = _condition(expr)
    return condition if isinstance(condition, models.Filter) else models.Filter(must=[condition])


def _condition(expr: Expr) -> models.Condition:
    match expr:
        case And():
            # Side by side, not one within another: Edge takes a sixth less time for it.
            required = [_condition(operand) for operand in expr.operands if not isinstance(operand, Not)]
            refused = [_condition(operand.operand) for operand in expr.operands if isinstance(operand, Not)]
            return models.Filter(must=required or None, must_not=refused or None)
        case Or():
            return _any(expr)
        case Not():
            return models.Filter(must_not=[_condition(expr.operand)])
        case Within(field="image_id"):
            return models.HasIdCondition(has_id=list(expr.values))
        case Within():
            return models.FieldCondition(key=expr.field, match=models.MatchAny(any=list(expr.values)))
        case Present() | Compare() if expr.field == REPORT or expr.field.startswith(SIDE):
            raise refuse("side tables and reports cannot be filtered by here")
        case Present():
            return models.Filter(must_not=[_unknown(expr.field)])
        case Compare():
            return _compare(expr)


def _any(expr: Or) -> models.Condition:
    one_field = alternatives(expr)
    if one_field and one_field[0] == "image_id":
        return models.HasIdCondition(has_id=list(one_field[1]))
    if one_field and (one_field[0].startswith(SIDE) or one_field[0] == "study_date"):
        one_field = None
    if one_field and LabelState.UNKNOWN not in one_field[1]:
        if source := _source(one_field[0]):
            return _says(source, *one_field[1])
        return models.FieldCondition(key=one_field[0], match=models.MatchAny(any=one_field[1]))
    return models.Filter(should=[_condition(operand) for operand in expr.operands])


def _compare(expr: Compare) -> models.Condition:
    if expr.operator is Operator.NE:  # stated, and different
        return models.Filter(must_not=[_unknown(expr.field), _equal(expr)])
    if expr.operator is Operator.EQ:
        return _equal(expr)
    return _range(expr, _BOUND[expr.operator])


def _equal(expr: Compare) -> models.Condition:
    if isinstance(expr.value, float) or expr.field == "study_date":
        return _range(expr, "gte", "lte")
    if expr.field == "image_id":
        return models.HasIdCondition(has_id=[expr.value])
    if expr.value == LabelState.UNKNOWN and expr.field.startswith(LABELS):
        return _unknown(expr.field)
    if source := _source(expr.field):
        return _says(source, expr.value)
    return models.FieldCondition(key=expr.field, match=models.MatchValue(value=expr.value))


def _range(expr: Compare, *bounds: str) -> models.Condition:
    if isinstance(expr.value, float):
        return models.FieldCondition(key=expr.field, range=models.Range(**dict.fromkeys(bounds, expr.value)))
    midnight = datetime.fromisoformat(expr.value).replace(tzinfo=UTC)
    return models.FieldCondition(key=expr.field, range=models.DatetimeRange(**dict.fromkeys(bounds, midnight)))


def _unknown(name: str) -> models.Condition:
    if name == "image_id":  # every film has one
        return models.HasIdCondition(has_id=[])
    if source := _source(name):
        return models.Filter(must_not=[_says(source, *_STATES)])
    return models.IsEmptyCondition(is_empty=models.PayloadField(key=name))


def _source(name: str) -> str:
    """``edema.chexpert`` for what one source says of a finding; empty for anything else."""
    said = name.removeprefix(LABELS)
    return said if said != name and "." in said else ""


def _says(source: str, *states: str) -> models.Condition:
    listed = [f"{source}={state}" for state in states]
    return models.FieldCondition(key=STATED, match=models.MatchAny(any=listed))
