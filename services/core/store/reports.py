"""Reports in the engine: one collection of words, and one of meaning per encoder with a text tower.

``reports.bm25``            sparse vector `bm25`, IDF by the engine
``reports.<model>.<fp8>``   vector `text` (D,) in the space of that model's films

A point is a section of a report. It carries ids and no text: texts stay in SQL.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as wire
from qdrant_client.conversions.conversion import RestToGrpc

from services.core.errors import HilumError
from services.core.ids import HILUM_NS
from services.core.models import ModelSpec
from services.core.store.connection import Connection
from services.core.store.retry import READ_PATIENCE, WRITE_PATIENCE
from services.core.text.bm25 import Sparse
from services.core.types import ReportKey

PREFIX = "reports."
WORDS = f"{PREFIX}bm25"
_FIELDS = ("dataset", "patient_id", "study_id", "section")
_UPSERT_POINTS = 256
_SPARSE, _DENSE = "bm25", "text"
_KEYS = wire.WithPayloadSelector(include=wire.PayloadIncludeSelector(fields=["dataset", "study_id", "section"]))

Asked = Sparse | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FoundReport:
    """A section with its score: BM25, or the cosine."""

    key: ReportKey
    score: float


def report_point(key: ReportKey) -> str:
    """The id of a section's point, the same in every collection."""
    return str(uuid.uuid5(HILUM_NS, f"report/{key.dataset}/{key.study_id}/{key.section}"))


def meaning(spec: ModelSpec) -> str:
    """The collection of the meanings that an encoder sees in texts."""
    return f"{PREFIX}{spec.name}.{spec.fingerprint[:8]}"


class Reports(Connection):
    """Report collections: `WORDS`, or `meaning(spec)`."""

    def report_collections(self) -> list[str]:
        """Those there are."""
        return [name for name in self._collections() if name.startswith(PREFIX)]

    def ensure_reports(self, collection: str, dim: int = 0) -> None:
        """Make a collection with its indexes, of words (no `dim`) or of vectors (dim,); no more than a look when it is
        there."""
        if not self._has(collection, WRITE_PATIENCE):
            dense = {_DENSE: models.VectorParams(size=dim, distance=models.Distance.COSINE)} if dim else {}
            idf = {_SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)}
            create = partial(
                QdrantClient.create_collection, collection_name=collection, vectors_config=dense,
                sparse_vectors_config=None if dim else idf,
            )  # fmt: skip
            try:
                self._ask(collection, create, WRITE_PATIENCE)
            except HilumError:
                if not self._has(collection, WRITE_PATIENCE):
                    raise
        known = self._ask(collection, lambda engine: engine.get_collection(collection).payload_schema, WRITE_PATIENCE)
        for field in (name for name in _FIELDS if name not in known):
            kind = models.PayloadSchemaType.KEYWORD
            index = partial(
                QdrantClient.create_payload_index, collection_name=collection, field_name=field, field_schema=kind,
                wait=True,
            )  # fmt: skip
            self._ask(collection, index, WRITE_PATIENCE)

    def put_reports(
        self, collection: str, keys: Sequence[ReportKey], patients: Sequence[str | None], vectors: Sequence[Asked]
    ) -> None:
        """Write sections durably; the same section again is replaced. `vectors`: Sparse, or (D,) float32 each."""
        for start in range(0, len(keys), _UPSERT_POINTS):
            part = slice(start, start + _UPSERT_POINTS)
            points = [
                models.PointStruct(id=report_point(key), vector=_stored(vector), payload=_carried(key, patient))
                for key, patient, vector in zip(keys[part], patients[part], vectors[part], strict=True)
            ]
            put = partial(QdrantClient.upsert, collection_name=collection, points=points, wait=True)
            self._ask(collection, put, WRITE_PATIENCE)

    def find_reports(
        self, collection: str, asked: Sequence[Asked], limit: int, where: models.Filter | None = None
    ) -> list[list[FoundReport]]:
        """For each of `asked` the `limit` best sections that pass `where`, best first. Raises NOT_FOUND without the
        collection."""
        passed = RestToGrpc.convert_filter(where) if where is not None else None
        params = wire.SearchParams(
            hnsw_ef=max(128, limit), quantization=wire.QuantizationSearchParams(rescore=True, oversampling=2.0)
        )
        questions = [
            wire.QueryPoints(
                collection_name=collection, query=wire.Query(nearest=_input(vector)), using=_using(vector),
                filter=passed, limit=limit, params=params, with_payload=_KEYS,
            )
            for vector in asked
        ]  # fmt: skip
        batch = wire.QueryBatchPoints(collection_name=collection, query_points=questions)
        answers = self._ask(
            collection, lambda engine: engine.grpc_points.QueryBatch(batch, timeout=self._timeout), READ_PATIENCE
        ).result
        return [[FoundReport(_key(point.payload), point.score) for point in answer.result] for answer in answers]

    def count_reports(self, collection: str) -> int:
        """How many sections it holds; 0 without the collection."""
        if not self._has(collection, READ_PATIENCE):
            return 0
        return self._ask(collection, lambda engine: engine.count(collection, exact=True), READ_PATIENCE).count

    def _has(self, collection: str, patience: float) -> bool:
        return self._ask(collection, lambda engine: engine.collection_exists(collection), patience)


def _carried(key: ReportKey, patient: str | None) -> dict[str, object]:
    carried = {"dataset": key.dataset, "study_id": key.study_id, "section": key.section}
    return {**carried, "patient_id": patient} if patient else {**carried}


def _stored(vector: Asked) -> dict[str, Any]:
    if isinstance(vector, Sparse):
        return {_SPARSE: models.SparseVector(indices=vector.indices, values=vector.values)}
    return {_DENSE: vector.tolist()}


def _using(vector: Asked) -> str:
    return _SPARSE if isinstance(vector, Sparse) else _DENSE


def _input(vector: Asked) -> wire.VectorInput:
    if isinstance(vector, Sparse):
        return wire.VectorInput(sparse=wire.SparseVector(indices=vector.indices, values=vector.values))
    return wire.VectorInput(dense=wire.DenseVector(data=vector.tolist()))


def _key(payload: Mapping[str, wire.Value]) -> ReportKey:
    return ReportKey(*(payload[name].string_value for name in ("dataset", "study_id", "section")))
