"""Similar cases, and films by words: the use case behind both transports.

search = Search(facts, store, encode)
answer = search(SearchQuery(by=Words("large left pleural effusion"), limit=20))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models as qdrant

from services.core import filters
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, now
from services.core.limits import MAX_SEARCH_LIMIT
from services.core.models import ModelSpec
from services.core.store import Scored, VectorStore, check_vectors
from services.query import models, own
from services.query.asked import (
    DEFAULT_LIMIT,
    Hit,
    Provenance,
    RawVector,
    SearchAnswer,
    SearchQuery,
    StoredFilm,
    UploadedFilm,
    Words,
)
from services.query.films import held_by, shown
from services.query.fusion import fuse
from services.transport.encode_client import EncodeClient

_POOLED = 50  # how deep each of several models is read before their ranks are fused
_SPARE = 4  # films read beyond the limit, in case some are not committed yet
_DEEPEST = 4 * MAX_SEARCH_LIMIT
_MODELS_AT_ONCE = 8

Vector = NDArray[np.float32]
T = TypeVar("T")


def _never() -> bool:
    return False


class Search:
    """Answers questions. Safe to share between threads."""

    def __init__(self, facts: Facts, store: VectorStore, encode: EncodeClient) -> None:
        self._facts, self._store, self._encode = facts, store, encode
        self._pool = ThreadPoolExecutor(_MODELS_AT_ONCE, thread_name_prefix="search")
        self._versions = _versions("hilum", "qdrant-client", "numpy")

    def __call__(self, query: SearchQuery, cancelled: Callable[[], bool] = _never) -> SearchAnswer:
        """Answer one question. Raises HilumError: the codes are those of the parts it is made of.

        Only films whose facts say that the model holds them are answers: one that is being ingested is not there yet.
        """
        started, stamp = time.perf_counter(), now()
        asked_filter = filters.parse(query.filter)
        specs = models.choose(self._facts, self._encode, query)
        films = own.films(self._facts, query.by)
        condition = filters.all_of(asked_filter, own.exclusion(query.by, films, query.exclude))
        vectors = self._each(specs, lambda spec: self._vector(query, spec))
        _check(cancelled)
        limit = query.limit or DEFAULT_LIMIT
        rankings = self._rankings(specs, vectors, filters.to_qdrant(condition), limit, query.exact, cancelled)
        fused = fuse(rankings, limit)
        records = shown(self._facts, [film.image_id for film in fused])
        hits = tuple(
            Hit(records[film.image_id], film.score, film.places, own.same_patient(records[film.image_id].record, films))
            for film in fused
            if film.image_id in records
        )
        elapsed = (time.perf_counter() - started) * 1000
        return SearchAnswer(
            hits,
            Provenance(
                tuple(specs), filters.describe(condition), query.exclude, query.exact, self._versions, stamp, elapsed
            ),
        )

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _vector(self, query: SearchQuery, spec: ModelSpec) -> Vector:
        """What `spec` makes of the question: (D,) float32, finite, not zero."""
        match query.by:
            case StoredFilm(image_id):
                return self._store.vector(spec, image_id)
            case RawVector(values):
                found: Vector | HilumError = values
            case Words(text):
                found = self._encode.encode_texts(spec.name, [text], spec.fingerprint)[0]
            case UploadedFilm(data):
                found = self._encode.encode_images(spec.name, [data], spec.fingerprint)[0]
        if isinstance(found, HilumError):
            raise found
        check_vectors(spec, found[None, :])
        return found

    def _rankings(
        self,
        specs: Sequence[ModelSpec],
        vectors: Sequence[Vector],
        where: qdrant.Filter | None,
        limit: int,
        exact: bool,
        cancelled: Callable[[], bool],
    ) -> dict[str, list[Scored]]:
        """Model → its nearest committed films. Reads deeper while uncommitted ones leave an answer short."""
        wanted = limit if len(specs) == 1 else max(limit, _POOLED)
        depth = wanted + _SPARE
        asked = dict(zip([spec.name for spec in specs], vectors, strict=True))
        while True:
            found = self._each(
                specs,
                lambda spec, depth=depth: self._store.query(spec, asked[spec.name][None, :], depth, where, exact)[0],
            )
            _check(cancelled)
            held = held_by(self._facts, {scored.image_id for ranking in found for scored in ranking})
            kept = {
                spec.name: [s for s in ranking if spec.fingerprint in held.get(s.image_id, ())]
                for spec, ranking in zip(specs, found, strict=True)
            }
            full = all(
                len(kept[spec.name]) >= wanted or len(ranking) < depth
                for spec, ranking in zip(specs, found, strict=True)
            )
            if full or depth >= _DEEPEST:
                return {name: ranking[:wanted] for name, ranking in kept.items()}
            depth = min(depth * 4, _DEEPEST)

    def _each(self, specs: Sequence[ModelSpec], work: Callable[[ModelSpec], T]) -> list[T]:
        """`work` on every model, side by side when there are several."""
        return [work(specs[0])] if len(specs) == 1 else list(self._pool.map(work, specs))


def _check(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise HilumError(ErrorCode.CANCELLED, "the client went away")


def _versions(*names: str) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
