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
from services.core.facts import models as known
from services.core.limits import MAX_SEARCH_LIMIT
from services.core.models import ModelSpec
from services.core.store import Scored, VectorStore, check_question
from services.query import hints, models, own
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
from services.query.films import Committed
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
        active = known.active(self._facts)
        specs = models.choose(active, self._facts, self._encode, query)
        films = own.films(self._facts, query.by)
        condition = filters.all_of(asked_filter, own.exclusion(query.by, films, query.exclude))
        vectors = self._each(specs, lambda spec: self._vector(query, spec))
        _check(cancelled)
        limit = query.limit or DEFAULT_LIMIT
        where = filters.to_qdrant(condition)
        rankings, committed = self._rankings(specs, vectors, where, limit, query.exact, cancelled)
        hits = []
        for film in fuse(rankings, limit):
            image = committed.shown(film.image_id, active)
            hits.append(Hit(image, film.score, film.places, own.same_patient(image.record, films)))
        elapsed = (time.perf_counter() - started) * 1000
        return SearchAnswer(
            tuple(hits),
            Provenance(
                tuple(specs),
                filters.describe(condition),
                query.exclude,
                query.exact,
                self._versions,
                stamp,
                elapsed,
                () if hits else hints.unstated(self._facts, asked_filter),
            ),
        )

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _vector(self, query: SearchQuery, spec: ModelSpec) -> Vector:
        """What `spec` makes of the question: (D,) float32, or (T, D) with several tokens; finite, not zero."""
        match query.by:
            case StoredFilm(image_id):
                return self._store.vector(spec, image_id)
            case RawVector(values):
                found: Vector | HilumError = values
            case Words(text):
                found = _by(spec, lambda: self._encode.encode_texts(spec.name, [text], spec.fingerprint)[0])
            case UploadedFilm(data):
                found = _by(spec, lambda: self._encode.encode_images(spec.name, [data], spec.fingerprint)[0])
        if isinstance(found, HilumError):
            raise found
        check_question(spec, found)
        return found

    def _rankings(
        self,
        specs: Sequence[ModelSpec],
        vectors: Sequence[Vector],
        where: qdrant.Filter | None,
        limit: int,
        exact: bool,
        cancelled: Callable[[], bool],
    ) -> tuple[dict[str, list[Scored]], Committed]:
        """Model → its nearest committed films, and those films. Reads deeper while uncommitted ones leave it short."""
        wanted = limit if len(specs) == 1 else max(limit, _POOLED)
        depth = wanted + _SPARE
        asked = dict(zip([spec.name for spec in specs], vectors, strict=True))
        while True:
            found = self._each(
                specs,
                lambda spec, depth=depth: self._store.query(spec, [asked[spec.name]], depth, where, exact)[0],
            )
            _check(cancelled)
            committed = Committed.read(self._facts, {scored.image_id for ranking in found for scored in ranking})
            kept = {
                spec.name: [scored for scored in ranking if committed.holds(scored.image_id, spec)]
                for spec, ranking in zip(specs, found, strict=True)
            }
            full = all(
                len(kept[spec.name]) >= wanted or len(ranking) < depth
                for spec, ranking in zip(specs, found, strict=True)
            )
            if full or depth >= _DEEPEST:
                return {name: ranking[:wanted] for name, ranking in kept.items()}, committed
            depth = min(depth * 4, _DEEPEST)

    def _each(self, specs: Sequence[ModelSpec], work: Callable[[ModelSpec], T]) -> list[T]:
        """`work` on every model, side by side when there are several."""
        return [work(specs[0])] if len(specs) == 1 else list(self._pool.map(work, specs))


def _by(spec: ModelSpec, encode: Callable[[], T]) -> T:
    """What an encoder says, or that there is none: vectors may have come ready made, or the encoder has gone since."""
    try:
        return encode()
    except HilumError as error:
        if error.code is not ErrorCode.UNKNOWN_MODEL:
            raise
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"the archive has vectors of {spec.name} but no encoder for it is here, so it answers for stored films "
            "only: search by a film of the archive, or with another model",
        ) from error


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
