"""Writing points durably."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from services.core.errors import invalid
from services.core.models import IMAGE_VECTOR, ModelSpec
from services.core.store.checks import check_vectors
from services.core.store.connection import Connection
from services.core.store.retry import WRITE_PATIENCE

_UPSERT_POINTS = 256
_UPSERT_NUMBERS = 2**20  # in one message: 4 MiB of float32


class Writing(Connection):
    """Every call returns once the engine has the change on disk, and may be repeated without harm."""

    def upsert(
        self,
        spec: ModelSpec,
        ids: Sequence[str],
        vectors: NDArray[np.float32],
        payloads: Sequence[Mapping[str, object]],
    ) -> None:
        """Write points durably: when this returns, the engine has them on disk.

        vectors: (N, *spec.shape) float32. The whole batch is checked before anything is sent: raises
        FAILED_PRECONDITION for a wrong shape, INVALID_ARGUMENT for a vector that is not finite or is zero, or for lists
        of different lengths.
        """
        check_vectors(spec, vectors)
        if not len(ids) == len(vectors) == len(payloads):
            raise invalid("ids, vectors and payloads must be as many")
        step = max(1, min(_UPSERT_POINTS, _UPSERT_NUMBERS // math.prod(spec.shape)))
        for start in range(0, len(ids), step):
            part = slice(start, start + step)
            points = [
                models.PointStruct(id=i, vector={IMAGE_VECTOR: v}, payload=dict(p))
                for i, v, p in zip(ids[part], vectors[part].tolist(), payloads[part], strict=True)
            ]
            put = partial(QdrantClient.upsert, collection_name=spec.collection, points=points, wait=True)
            self._ask(spec.collection, put, WRITE_PATIENCE)

    def set_payload(self, spec: ModelSpec, image_id: str, carried: Mapping[str, object]) -> None:
        """Replace what a point carries; its vectors stay."""
        put = partial(
            QdrantClient.overwrite_payload, collection_name=spec.collection, payload=dict(carried), points=[image_id],
            wait=True,
        )  # fmt: skip
        self._ask(spec.collection, put, WRITE_PATIENCE)

    def set_payloads(self, spec: ModelSpec, carried: Mapping[str, Mapping[str, object]]) -> None:
        """Replace what many points carry, by image id; those that are not stored are passed over."""
        self._carry(
            spec,
            [models.OverwritePayloadOperation(overwrite_payload=_payload([i], c)) for i, c in carried.items()],
        )

    def set_fields(self, spec: ModelSpec, groups: Sequence[tuple[Mapping[str, object], Sequence[str]]]) -> None:
        """Set some fields of many points, in groups that get the same; other fields stay, and points that are not
        stored are passed over. An empty list is as no field."""
        self._carry(
            spec, [models.SetPayloadOperation(set_payload=_payload(ids, fields)) for fields, ids in groups if ids]
        )

    def _carry(self, spec: ModelSpec, operations: Sequence[models.UpdateOperation]) -> None:
        for start in range(0, len(operations), _UPSERT_POINTS):
            part = list(operations[start : start + _UPSERT_POINTS])
            put = partial(
                QdrantClient.batch_update_points, collection_name=spec.collection, update_operations=part, wait=True
            )
            self._ask(spec.collection, put, WRITE_PATIENCE)

    def delete(self, spec: ModelSpec, ids: Sequence[str]) -> None:
        """Remove points; removing what is not there is no error."""
        chosen = models.PointIdsList(points=list(ids))
        drop = partial(QdrantClient.delete, collection_name=spec.collection, points_selector=chosen, wait=True)
        self._ask(spec.collection, drop, WRITE_PATIENCE)


def _payload(ids: Sequence[str], carried: Mapping[str, object]) -> models.SetPayload:
    """By a filter: a point that is gone meanwhile is no error then."""
    chosen = models.Filter(must=[models.HasIdCondition(has_id=list(ids))])
    return models.SetPayload(payload=dict(carried), filter=chosen)
