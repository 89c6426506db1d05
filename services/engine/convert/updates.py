"""Writes: each kind of request checked as a whole, then turned into one Edge operation.

An `Update` is a kind and its request message: the form in which writes are applied, journaled and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import qdrant_edge as edge
from qdrant_client.grpc import points_pb2 as pb

from ..errors import invalid, refuse_fields
from .filters import optional_filter, to_filter
from .schema import index_params
from .values import PointId, payload, point_id
from .vectors import VectorSpec, spec_of, stored_vectors

Specs = Mapping[str, VectorSpec]
_MODES = {pb.Upsert: None, pb.InsertOnly: edge.UpdateMode.InsertOnly, pb.UpdateOnly: edge.UpdateMode.UpdateOnly}


@dataclass(frozen=True)
class Update:
    """One write: `kind` is a key of `KINDS`, `message` its request."""

    kind: str
    message: Any

    def operation(self, specs: Specs) -> edge.UpdateOperation:
        """The Edge operation. Raises EngineError if anything in the whole request is wrong."""
        refuse_fields(self.message, "shard_key_selector")
        return KINDS[self.kind].build(self.message, specs)

    def existing_ids(self) -> list[PointId]:
        """Ids that must already be stored for the write to succeed as a whole."""
        if self.kind == "update_vectors":
            return [point_id(p.id) for p in self.message.points]
        if self.kind in ("set_payload", "overwrite_payload"):
            return [point_id(i) for i in self.message.points_selector.points.ids]
        return []

    def upserted_ids(self) -> list[PointId]:
        """Ids that are stored once the write is done."""
        return [point_id(p.id) for p in self.message.points] if self.kind == "upsert" else []

    def touched_points(self) -> int:
        """How many points the write puts outside the graph, or takes out of it. Deletes by filter are not counted."""
        if self.kind == "delete":
            return len(self.message.points.points.ids)
        return len(self.message.points) if self.kind in ("upsert", "update_vectors") else 0


@dataclass(frozen=True)
class _Kind:
    message: type
    build: Callable[[Any, Specs], edge.UpdateOperation]


def _upsert(m: pb.UpsertPoints, specs: Specs) -> edge.UpdateOperation:
    points = [edge.Point(point_id(p.id), stored_vectors(p.vectors, specs), payload(p.payload)) for p in m.points]
    return edge.UpdateOperation.upsert_points(points, optional_filter(m, "update_filter"), _MODES[m.update_mode])


def _update_vectors(m: pb.UpdatePointVectors, specs: Specs) -> edge.UpdateOperation:
    points = [edge.PointVectors(point_id(p.id), stored_vectors(p.vectors, specs)) for p in m.points]
    return edge.UpdateOperation.update_vectors(points, optional_filter(m, "update_filter"))


def _delete_vectors(m: pb.DeletePointVectors, specs: Specs) -> edge.UpdateOperation:
    names = [spec_of(specs, name).name for name in m.vectors.names]
    if not names:
        raise invalid("no vector names to delete")
    return _by_selector(m.points_selector, edge.UpdateOperation.delete_vectors, names)


def _delete(m: pb.DeletePoints, specs: Specs) -> edge.UpdateOperation:
    return _by_selector(m.points, edge.UpdateOperation.delete_points)


def _set_payload(m: pb.SetPayloadPoints, specs: Specs) -> edge.UpdateOperation:
    key = m.key if m.HasField("key") else None
    return _by_selector(m.points_selector, edge.UpdateOperation.set_payload, payload(m.payload), key)


def _overwrite(m: pb.SetPayloadPoints, specs: Specs) -> edge.UpdateOperation:
    key = m.key if m.HasField("key") else None
    return _by_selector(m.points_selector, edge.UpdateOperation.overwrite_payload, payload(m.payload), key)


def _delete_payload(m: pb.DeletePayloadPoints, specs: Specs) -> edge.UpdateOperation:
    return _by_selector(m.points_selector, edge.UpdateOperation.delete_payload, list(m.keys))


def _clear_payload(m: pb.ClearPayloadPoints, specs: Specs) -> edge.UpdateOperation:
    return _by_selector(m.points, edge.UpdateOperation.clear_payload)


def _create_index(m: pb.CreateFieldIndexCollection, specs: Specs) -> edge.UpdateOperation:
    return edge.UpdateOperation.create_field_index(m.field_name, index_params(m))


def _delete_index(m: pb.DeleteFieldIndexCollection, specs: Specs) -> edge.UpdateOperation:
    return edge.UpdateOperation.delete_field_index(m.field_name)


def _by_selector(selector: pb.PointsSelector, by_ids: Callable[..., Any], *args: Any) -> edge.UpdateOperation:
    kind = selector.WhichOneof("points_selector_one_of")
    if kind == "points":
        return by_ids([point_id(i) for i in selector.points.ids], *args)
    if kind == "filter":
        by_filter = getattr(edge.UpdateOperation, f"{by_ids.__name__}_by_filter")
        return by_filter(to_filter(selector.filter), *args)
    raise invalid("the request selects no points: send ids or a filter")


KINDS: dict[str, _Kind] = {
    "upsert": _Kind(pb.UpsertPoints, _upsert),
    "update_vectors": _Kind(pb.UpdatePointVectors, _update_vectors),
    "delete_vectors": _Kind(pb.DeletePointVectors, _delete_vectors),
    "delete": _Kind(pb.DeletePoints, _delete),
    "set_payload": _Kind(pb.SetPayloadPoints, _set_payload),
    "overwrite_payload": _Kind(pb.SetPayloadPoints, _overwrite),
    "delete_payload": _Kind(pb.DeletePayloadPoints, _delete_payload),
    "clear_payload": _Kind(pb.ClearPayloadPoints, _clear_payload),
    "create_index": _Kind(pb.CreateFieldIndexCollection, _create_index),
    "delete_index": _Kind(pb.DeleteFieldIndexCollection, _delete_index),
}

# The operations of `UpdateBatch`, by field name, as the request each one stands for.
_BATCH = {
    "upsert": "upsert",
    "delete_points": "delete",
    "set_payload": "set_payload",
    "overwrite_payload": "overwrite_payload",
    "delete_payload": "delete_payload",
    "clear_payload": "clear_payload",
    "update_vectors": "update_vectors",
    "delete_vectors": "delete_vectors",
}


def batch(operations: Any) -> list[Update]:
    """The updates of a batch request, in order."""
    updates = []
    for operation in operations:
        field = operation.WhichOneof("operation")
        if field in ("delete_deprecated", "clear_payload_deprecated"):
            kind = "delete" if field == "delete_deprecated" else "clear_payload"
            updates.append(Update(kind, KINDS[kind].message(points=getattr(operation, field))))
            continue
        if field not in _BATCH:
            raise invalid("an operation of the batch is empty")
        body = getattr(operation, field)
        message = KINDS[_BATCH[field]].message()
        # The batch's own messages repeat the fields of the single requests, under the same names.
        for descriptor, value in body.ListFields():
            if descriptor.is_repeated:
                target = getattr(message, descriptor.name)
                if descriptor.message_type and descriptor.message_type.GetOptions().map_entry:
                    for key, item in value.items():
                        target[key].CopyFrom(item)
                else:
                    target.extend(value)
            elif descriptor.message_type:
                getattr(message, descriptor.name).CopyFrom(value)
            else:
                setattr(message, descriptor.name, value)
        updates.append(Update(_BATCH[field], message))
    return updates
