"""Point ids and payloads, both ways."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any

from qdrant_client.grpc import json_with_int_pb2, points_pb2, qdrant_common_pb2
from qdrant_edge import PayloadSelector

from ..errors import invalid
from .vectors import fill_vectors

PointId = int | str
INT64_MAX = 2**63 - 1


def point_id(message: qdrant_common_pb2.PointId) -> PointId:
    """An Edge id: an unsigned integer, or a UUID in canonical text."""
    kind = message.WhichOneof("point_id_options")
    if kind == "num":
        return message.num
    if kind == "uuid":
        try:
            return str(uuid.UUID(message.uuid))
        except ValueError:
            raise invalid("a point id is neither an unsigned integer nor a UUID") from None
    raise invalid("a point id is empty")


def id_message(value: int | str | uuid.UUID) -> qdrant_common_pb2.PointId:
    """The protobuf id of an Edge id."""
    if isinstance(value, int):
        return qdrant_common_pb2.PointId(num=value)
    return qdrant_common_pb2.PointId(uuid=str(value))


def payload(fields: Mapping[str, json_with_int_pb2.Value]) -> dict[str, Any]:
    """A payload as plain JSON values."""
    return {key: json_value(value) for key, value in fields.items()}


def json_value(value: json_with_int_pb2.Value) -> Any:
    """One protobuf JSON value as Python's. Integers stay integers."""
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "struct_value":
        return {key: json_value(item) for key, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [json_value(item) for item in value.list_value.values]
    plain = getattr(value, kind)
    if kind == "double_value" and not math.isfinite(plain):
        raise invalid("a payload number is not finite")
    return plain


def fill_payload(target: Any, source: Mapping[str, Any] | None) -> None:
    """Write a JSON payload into a protobuf `map<string, Value>`."""
    for key, item in (source or {}).items():
        fill_value(target[key], item)


def fill_value(target: json_with_int_pb2.Value, item: Any) -> None:
    """Write one JSON value into a protobuf Value."""
    if item is None:
        target.null_value = json_with_int_pb2.NULL_VALUE
    elif isinstance(item, bool):
        target.bool_value = item
    elif isinstance(item, int):
        if -INT64_MAX - 1 <= item <= INT64_MAX:
            target.integer_value = item
        else:
            target.double_value = float(item)
    elif isinstance(item, float):
        target.double_value = item
    elif isinstance(item, str):
        target.string_value = item
    elif isinstance(item, list):
        target.list_value.SetInParent()
        for entry in item:
            fill_value(target.list_value.values.add(), entry)
    else:
        target.struct_value.SetInParent()
        fill_payload(target.struct_value.fields, item)


def scored_point(hit: Any) -> points_pb2.ScoredPoint:
    """The answer for one hit of an Edge query."""
    out = points_pb2.ScoredPoint(id=id_message(hit.id), score=hit.score, version=hit.version)
    if payload := hit.payload:
        fill_payload(out.payload, payload)
    if (vector := hit.vector) is not None:
        fill_vectors(out, vector)
    _fill_order(out, hit.order_value)
    return out


def retrieved_point(record: Any) -> points_pb2.RetrievedPoint:
    """The answer for one record of an Edge scroll or retrieve."""
    out = points_pb2.RetrievedPoint(id=id_message(record.id))
    fill_payload(out.payload, record.payload)
    fill_vectors(out, record.vector)
    _fill_order(out, record.order_value)
    return out


def _fill_order(out: Any, value: int | float | None) -> None:
    if isinstance(value, int):
        out.order_value.int = value
    elif value is not None:
        out.order_value.float = value


def with_payload(selector: points_pb2.WithPayloadSelector, default: bool) -> Any:
    """Edge's payload selection: True, False, or a PayloadSelector."""
    kind = selector.WhichOneof("selector_options")
    if kind is None:
        return default
    if kind == "enable":
        return selector.enable
    fields = list(getattr(selector, kind).fields)
    return PayloadSelector.Include(fields) if kind == "include" else PayloadSelector.Exclude(fields)


def with_vectors(selector: points_pb2.WithVectorsSelector) -> bool | list[str]:
    """Edge's vector selection: True, False or names."""
    if selector.WhichOneof("selector_options") == "include":
        return list(selector.include.names)
    return selector.enable
