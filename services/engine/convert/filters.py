"""Filters: protobuf to Edge. The two are the same language; only names differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import qdrant_edge as edge
from qdrant_client.grpc import qdrant_common_pb2 as common

from ..errors import invalid
from .values import point_id

_MATCH: dict[str, Any] = {
    "keyword": edge.MatchValue,
    "integer": edge.MatchValue,
    # pyo3 takes a Python bool for the integer 1; numpy's has no __index__ and stays a bool.
    "boolean": lambda value: edge.MatchValue(np.bool_(value)),
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "prefix": edge.MatchPrefix,
    "substring": edge.MatchSubstring,
}


def optional_filter(holder: Any, field: str = "filter") -> edge.Filter | None:
    """The filter in a field of a request, or None where none was sent."""
    return to_filter(getattr(holder, field)) if holder.HasField(field) else None


def to_filter(message: common.Filter) -> edge.Filter:
    """A whole filter. An empty one selects everything, as on the server."""
    min_should = None
    if message.HasField("min_should"):
        inner = [_condition(c) for c in message.min_should.conditions]
        min_should = edge.MinShould(inner, message.min_should.min_count)
    return edge.Filter(
        must=[_condition(c) for c in message.must] or None,
        should=[_condition(c) for c in message.should] or None,
        must_not=[_condition(c) for c in message.must_not] or None,
        min_should=min_should,
    )


def excluding(base: edge.Filter | None, ids: list[Any]) -> edge.Filter | None:
    """`base` and none of `ids`."""
    if not ids:
        return base
    return edge.Filter(must=[base] if base is not None else None, must_not=[edge.HasIdCondition(set(ids))])


def _condition(message: common.Condition) -> Any:
    kind = message.WhichOneof("condition_one_of")
    if kind == "field":
        return _field(message.field)
    if kind == "filter":
        return to_filter(message.filter)
    if kind == "has_id":
        return edge.HasIdCondition({point_id(i) for i in message.has_id.has_id})
    if kind == "is_empty":
        return edge.IsEmptyCondition(message.is_empty.key)
    if kind == "is_null":
        return edge.IsNullCondition(message.is_null.key)
    if kind == "nested":
        return edge.NestedCondition(message.nested.key, to_filter(message.nested.filter))
    if kind == "has_vector":
        return edge.HasVectorCondition(message.has_vector.has_vector)
    if kind == "slice":
        return edge.SliceCondition(message.slice.total, message.slice.index)
    raise invalid("a filter condition is empty")


def _field(message: common.FieldCondition) -> edge.FieldCondition:
    parts: dict[str, Any] = {}
    if message.HasField("match"):
        parts["match"] = _match(message.match)
    if message.HasField("range"):
        parts["range"] = edge.RangeFloat(**_bounds(message.range))
    if message.HasField("datetime_range"):
        bounds = _bounds(message.datetime_range)
        parts["range"] = edge.RangeDateTime(**{side: stamp.ToJsonString() for side, stamp in bounds.items()})
    if message.HasField("values_count"):
        parts["values_count"] = edge.ValuesCount(**_bounds(message.values_count))
    if message.HasField("geo_bounding_box"):
        box = message.geo_bounding_box
        parts["geo_bounding_box"] = edge.GeoBoundingBox(_point(box.top_left), _point(box.bottom_right))
    if message.HasField("geo_radius"):
        parts["geo_radius"] = edge.GeoRadius(_point(message.geo_radius.center), message.geo_radius.radius)
    if message.HasField("geo_polygon"):
        rings = [[_point(p) for p in ring.points] for ring in message.geo_polygon.interiors]
        outer = [_point(p) for p in message.geo_polygon.exterior.points]
        parts["geo_polygon"] = edge.GeoPolygon(outer, rings or None)
    if message.HasField("is_empty"):
        parts["is_empty"] = message.is_empty
    if message.HasField("is_null"):
        parts["is_null"] = message.is_null
    if not parts:
        raise invalid(f"the condition on `{message.key}` says nothing")
    return edge.FieldCondition(message.key, **parts)


def _match(message: common.Match) -> Any:
    kind = message.WhichOneof("match_value")
    if kind is None:
        raise invalid("a match condition is empty")
    value = getattr(message, kind)
    if kind in _MATCH:
        return _MATCH[kind](value)
    values = list(value.strings if kind.endswith("keywords") else value.integers)
    return edge.MatchExcept(values) if kind.startswith("except") else edge.MatchAny(values)


def _bounds(message: Any) -> dict[str, Any]:
    return {side: getattr(message, side) for side in ("lt", "gt", "lte", "gte") if message.HasField(side)}


def _point(message: common.GeoPoint) -> edge.GeoPoint:
    return edge.GeoPoint(message.lon, message.lat)
