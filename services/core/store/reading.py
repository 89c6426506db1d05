"""Reading points: neighbours, vectors, counts.

Speaks the wire's own messages: the client's models are copied and checked on their way, which costs more than a search
and makes reading many vectors seven times slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as wire
from qdrant_client.conversions.conversion import RestToGrpc

from services.core.errors import ErrorCode, HilumError
from services.core.models import IMAGE_VECTOR, ModelSpec
from services.core.store.checks import check_question
from services.core.store.connection import Connection
from services.core.store.effort import ef
from services.core.store.retry import READ_PATIENCE, WRITE_PATIENCE

_PAGE_POINTS = 2_000
_PAGE_BYTES = 16 * 2**20  # of vectors in one message
_BULK_SECONDS = 60.0  # a page of vectors may take longer than a question
_IMAGE_VECTOR = wire.WithVectorsSelector(include=wire.VectorsSelector(names=[IMAGE_VECTOR]))
_NO_PAYLOAD = wire.WithPayloadSelector(enable=False)


@dataclass(frozen=True, slots=True)
class Scored:
    """A neighbour: its id and its cosine similarity, with several tokens the mean of the question's best ones."""

    image_id: str
    score: float


class Reading(Connection):
    """Questions. They wait `READ_PATIENCE` for an engine that restarts, then raise UNAVAILABLE."""

    def held(self, spec: ModelSpec, ids: Sequence[str]) -> dict[str, str]:
        """image_id → pixel_sha256 of the film its vector was made from, for those that are stored."""
        get = partial(
            QdrantClient.retrieve, collection_name=spec.collection, ids=list(ids), with_payload=["pixels"],
            with_vectors=False,
        )  # fmt: skip
        points = self._ask(spec.collection, get, WRITE_PATIENCE)
        return {str(point.id): str((point.payload or {}).get("pixels", "")) for point in points}

    def vector(self, spec: ModelSpec, image_id: str) -> NDArray[np.float32]:
        """The stored vector of a film: spec.shape float32. Raises NOT_FOUND."""
        points = self._get(spec, [image_id], self._timeout)
        if not points:
            raise _not_stored()
        return _numbers(points).reshape(spec.shape)

    def query(
        self,
        spec: ModelSpec,
        vectors: Sequence[NDArray[np.float32]] | NDArray[np.float32],
        limit: int,
        where: models.Filter | None = None,
        exact: bool = False,
    ) -> list[list[Scored]]:
        """The `limit` nearest films of each of `vectors` that pass `where`, nearest first.

        vectors: (D,) float32 each; for a model of several tokens (D,), a text's, or (T, D), a film's.
        """
        for vector in vectors:
            check_question(spec, vector)
        params = _params(limit, exact, where)
        passed = _filter(where)
        asked = [
            wire.QueryPoints(
                collection_name=spec.collection,
                query=wire.Query(nearest=_asked(spec, vector)),
                using=IMAGE_VECTOR, filter=passed, limit=limit, params=params, with_payload=_NO_PAYLOAD,
            )
            for vector in vectors
        ]  # fmt: skip
        batch = wire.QueryBatchPoints(collection_name=spec.collection, query_points=asked)
        answers = self._read(spec, lambda stub: stub.QueryBatch(batch, timeout=self._timeout)).result
        # Engines add up what each vector of the question finds; the mean is a cosine again.
        return [
            [Scored(point.id.uuid, point.score / np.atleast_2d(vector).shape[0]) for point in answer.result]
            for vector, answer in zip(vectors, answers, strict=True)
        ]

    def nearest(
        self,
        spec: ModelSpec,
        by: NDArray[np.float32] | str,
        limit: int,
        where: models.Filter | None = None,
        exact: bool = False,
    ) -> list[Scored]:
        """The `limit` films nearest to one vector, or to a stored film, which itself is not among them. Raises
        NOT_FOUND for a film that is not stored with this model."""
        if not isinstance(by, str):
            return self.query(spec, [by], limit, where, exact)[0]
        request = wire.QueryPoints(
            collection_name=spec.collection, query=wire.Query(nearest=wire.VectorInput(id=wire.PointId(uuid=by))),
            using=IMAGE_VECTOR, filter=_filter(where), limit=limit, params=_params(limit, exact, where),
            with_payload=_NO_PAYLOAD,
        )  # fmt: skip
        try:
            answer = self._read(spec, lambda stub: stub.Query(request, timeout=self._timeout)).result
        except HilumError as error:
            if error.code is ErrorCode.NOT_FOUND:
                raise _not_stored() from error
            raise
        return [Scored(point.id.uuid, point.score / spec.tokens) for point in answer]

    def recommend(
        self,
        spec: ModelSpec,
        positive: NDArray[np.float32],
        negative: NDArray[np.float32],
        limit: int,
        where: models.Filter | None = None,
        exact: bool = False,
    ) -> list[Scored]:
        """Films nearer to one of `positive` than to any of `negative`, (N, *spec.shape) each; scores are no cosines."""
        for vector in (*positive, *negative):
            check_question(spec, vector)
        told = wire.RecommendInput(
            positive=[_asked(spec, vector) for vector in positive],
            negative=[_asked(spec, vector) for vector in negative],
            strategy=wire.RecommendStrategy.BestScore,
        )
        request = wire.QueryPoints(
            collection_name=spec.collection, query=wire.Query(recommend=told), using=IMAGE_VECTOR,
            filter=_filter(where), limit=limit, params=_params(limit, exact, where), with_payload=_NO_PAYLOAD,
        )  # fmt: skip
        answer = self._read(spec, lambda stub: stub.Query(request, timeout=self._timeout)).result
        return [Scored(point.id.uuid, point.score) for point in answer]

    def count(self, spec: ModelSpec, where: models.Filter | None = None) -> int:
        """How many films pass `where`, exactly."""
        count = partial(QdrantClient.count, collection_name=spec.collection, count_filter=where, exact=True)
        return self._ask(spec.collection, count, READ_PATIENCE).count

    def vectors(
        self, spec: ModelSpec, where: models.Filter | None = None, ids: Sequence[str] | None = None
    ) -> tuple[list[str], NDArray[np.float32]]:
        """Ids and vectors (N, *spec.shape) float32 of all films that pass `where`, or of `ids`, in order of their ids.

        Of `ids`, those that are not stored are left out, and one that is named twice comes once.
        """
        found: list[str] = []
        parts = [np.empty((0, *spec.shape), dtype=np.float32)]
        for points in self._scroll(spec, where) if ids is None else self._pages(spec, ids):
            found += [point.id.uuid for point in points]
            parts.append(_numbers(points).reshape(-1, *spec.shape))
        order = sorted(range(len(found)), key=found.__getitem__)
        return [found[i] for i in order], np.concatenate(parts)[order]

    def some(self, spec: ModelSpec, where: models.Filter | None, most: int) -> list[str]:
        """Ids of the first `most` films that pass `where`, in their order; ids are hashes, so the first are any."""
        scroll = wire.ScrollPoints(
            collection_name=spec.collection, filter=_filter(where), limit=most,
            with_vectors=wire.WithVectorsSelector(enable=False), with_payload=_NO_PAYLOAD,
        )  # fmt: skip
        answer = self._read(spec, lambda stub: stub.Scroll(scroll, timeout=_BULK_SECONDS))
        return [point.id.uuid for point in answer.result]

    def _pages(self, spec: ModelSpec, ids: Sequence[str]) -> Iterator[Sequence[wire.RetrievedPoint]]:
        distinct = list(dict.fromkeys(ids))
        size = _page_points(spec)
        for start in range(0, len(distinct), size):
            yield self._get(spec, distinct[start : start + size], _BULK_SECONDS)

    def _scroll(self, spec: ModelSpec, where: models.Filter | None) -> Iterator[Sequence[wire.RetrievedPoint]]:
        scroll = wire.ScrollPoints(
            collection_name=spec.collection, filter=_filter(where), limit=_page_points(spec),
            with_vectors=_IMAGE_VECTOR, with_payload=_NO_PAYLOAD,
        )  # fmt: skip
        more = True
        while more:
            answer = self._read(spec, lambda stub: stub.Scroll(scroll, timeout=_BULK_SECONDS))
            yield answer.result
            more = answer.HasField("next_page_offset")
            scroll.offset.CopyFrom(answer.next_page_offset)

    def _get(self, spec: ModelSpec, ids: Sequence[str], timeout: float) -> Sequence[wire.RetrievedPoint]:
        get = wire.GetPoints(
            collection_name=spec.collection, ids=[wire.PointId(uuid=i) for i in ids],
            with_vectors=_IMAGE_VECTOR, with_payload=_NO_PAYLOAD,
        )  # fmt: skip
        points: Sequence[wire.RetrievedPoint] = self._read(spec, lambda stub: stub.Get(get, timeout=timeout)).result
        return points

    def _read(self, spec: ModelSpec, call: Callable[[wire.PointsStub], Any]) -> Any:
        return self._ask(spec.collection, lambda engine: call(engine.grpc_points), READ_PATIENCE)


def _not_stored() -> HilumError:
    return HilumError(ErrorCode.NOT_FOUND, "this film is not stored with this model; choose another model or film")


def _params(limit: int, exact: bool, where: models.Filter | None) -> wire.SearchParams:
    quantization = wire.QuantizationSearchParams(rescore=True, oversampling=2.0)
    return wire.SearchParams(exact=exact, hnsw_ef=ef(limit, where), quantization=quantization)


def _filter(where: models.Filter | None) -> wire.Filter | None:
    return RestToGrpc.convert_filter(where) if where is not None else None


def _page_points(spec: ModelSpec) -> int:
    return max(1, min(_PAGE_POINTS, _PAGE_BYTES // (4 * math.prod(spec.shape))))


def _asked(spec: ModelSpec, vector: NDArray[np.float32]) -> wire.VectorInput:
    if spec.tokens == 1:
        return wire.VectorInput(dense=wire.DenseVector(data=vector.tolist()))
    rows = [wire.DenseVector(data=row) for row in np.atleast_2d(vector).tolist()]
    return wire.VectorInput(multi_dense=wire.MultiDenseVector(vectors=rows))


def _numbers(points: Sequence[wire.RetrievedPoint]) -> NDArray[np.float32]:
    """All numbers of the image vectors of points that came with them, one after another."""
    return np.array([row for point in points for row in _rows(point)], dtype=np.float32)


def _rows(point: wire.RetrievedPoint) -> list[Sequence[float]]:
    stored = point.vectors.vectors.vectors[IMAGE_VECTOR]
    if stored.HasField("multi_dense"):
        return [row.data for row in stored.multi_dense.vectors]
    return [stored.dense.data if stored.HasField("dense") else stored.data]  # engines before 1.16 put all there
