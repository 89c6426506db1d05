"""Films near given films or words: exact cosines from the engine, cut at a rank or at a calibrated probability.

Asked for exactly, not by an approximate index, and ties go by image id, so that the same vectors give the same films.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from services.analytics import encoding
from services.analytics.cohort import version
from services.analytics.cohort.conditions import Conditions
from services.analytics.cohort.population import Mask
from services.analytics.cohort.spec import Likeness
from services.analytics.progress import Progress
from services.core import filters
from services.core.calibration import FILM, WORDS, Curve
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, calibrations, images, models, searches
from services.core.filters import Expr, to_qdrant
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.transport.encode_client import EncodeClient

if TYPE_CHECKING:
    from services.analytics.bench import Once

OWNER = "local"  # of saved searches, until there are users
MOST = 200_000  # films of one criterion
_LISTED = 20_000  # films that a question may be restricted to by name
_FIRST, _GROWS = 1_000, 8
_SPARE = 16  # films beyond the rank, to find ties


@dataclass(frozen=True)
class Near:
    """rows: (n,) positions in the population, nearest first.  scores: (n,) their cosines."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


def resolved(asked: Likeness, facts: Facts) -> Likeness:
    """The question itself in place of the saved search that has it. Raises NOT_FOUND, FAILED_PRECONDITION."""
    if not asked.search_id:
        return asked
    query = searches.get(facts, OWNER, asked.search_id).request.get("query")
    by = dict(query) if isinstance(query, dict) else {}
    if set(by) == {"image_id"}:
        return replace(asked, search_id="", image_ids=(str(by["image_id"]),))
    if set(by) == {"text"}:
        return replace(asked, search_id="", text=str(by["text"]))
    raise HilumError(
        ErrorCode.FAILED_PRECONDITION,
        "a cohort can be near the one film, or the one text, of a saved search; this one asks for something else: name "
        "its films by image_ids",
    )


def only_model(name: str, facts: Facts) -> ModelSpec:
    """The model of this name; where none is named, the only one that holds films. Raises UNKNOWN_MODEL,
    FAILED_PRECONDITION."""
    if name:
        return models.named(facts, name)
    held = images.count_by_model(facts)
    there = [spec for spec in models.active(facts).values() if held.get(spec.fingerprint)]
    if len(there) != 1:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"name the model; there are: {', '.join(spec.name for spec in there)}"
            if there
            else "no model holds a film; ingest films first",
        )
    return there[0]


def cutoff(curve: Curve, probability: float) -> float:
    """The least score of so much probability; −1 where every score has it, infinite where none has."""
    scores, told = np.asarray(curve.scores), np.asarray(curve.probability)
    if not len(told) or told[-1] < probability:
        return float("inf")
    if told[0] >= probability:
        return -1.0
    after = int(np.argmax(told >= probability))
    left, right = told[after - 1], told[after]
    return float(scores[after - 1] + (probability - left) / (right - left) * (scores[after] - scores[after - 1]))


@dataclass
class Similar:
    """Answers one kind of criterion for films that pass `seen`. encode: who makes vectors of words, asked for when
    there are any.  conditions: of the population.  once: of the bench, of the population."""

    facts: Facts
    store: VectorStore
    seen: Expr | None
    encode: Callable[[], EncodeClient]
    conditions: Conditions
    progress: Progress
    once: Once | None = None
    _asked: int = field(default=0, init=False)

    def __call__(self, asked: Likeness, among: Mask | None = None) -> Near:
        """Films that pass. among: (N,) those to rank, all where None.

        Raises FAILED_PRECONDITION for a probability that nobody knows, for more films than `MOST`; NOT_FOUND for a film
        that is not there to be asked with.
        """
        asked = resolved(asked, self.facts)
        spec = only_model(asked.model, self.facts)
        least = self._least(asked, spec)
        if np.isinf(least):
            return Near(np.empty(0, np.int64), np.empty(0))
        rank = partial(self._ranked, asked, spec, least, among)
        if self.once is None:
            return rank()
        self._asked += 1
        written = list(version.written(self.facts, spec))
        return self.once(f"similar films, {self._asked}", rank, asked, spec.fingerprint, least, among, written)

    def _ranked(self, asked: Likeness, spec: ModelSpec, least: float, among: Mask | None) -> Near:
        vectors = self._vectors(asked, spec)
        where, listed = self.seen, None
        if among is not None and int(among.sum()) <= _LISTED:
            listed = filters.Within("image_id", tuple(self.conditions.films.frame.take(np.flatnonzero(among)).ids))
            where = listed if self.seen is None else filters.all_of(listed, self.seen)
        taken = among if among is not None and listed is None else None
        limit = min(MOST, asked.top + _SPARE) if asked.top and taken is None else _FIRST
        while True:
            self.progress("similar films", 0, 1)
            near, whole = self._nearest(spec, vectors, limit, where)
            if taken is not None:
                near = Near(near.rows[taken[near.rows]], near.scores[taken[near.rows]])
            enough = bool(asked.top) and len(near.rows) >= asked.top
            past = len(near.scores) > 0 and near.scores[-1] < least
            if whole or enough or past:
                break
            if limit >= MOST:
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION,
                    f"more than {MOST:,} films would have to be ranked; ask for a higher probability or a lower rank",
                )
            limit = min(MOST, limit * _GROWS)
        keep = near.scores >= least
        keep[asked.top or len(keep) :] = False
        return Near(near.rows[keep], near.scores[keep])

    def _nearest(
        self, spec: ModelSpec, vectors: Sequence[NDArray[np.float32]], limit: int, where: Expr | None
    ) -> tuple[Near, bool]:
        """The `limit` nearest to any of the vectors, by falling score and then id; and: were those all there are?"""
        passing = to_qdrant(filters.resolve(where, self.facts))
        best: dict[str, float] = {}
        whole = True
        for vector in vectors:
            (found,) = self.store.query(spec, [vector], limit, passing, exact=True)
            whole &= len(found) < limit
            for one in found:
                best[one.image_id] = max(best.get(one.image_id, -2.0), one.score)
        line = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))
        line = line if whole else line[:limit]
        rows = self.conditions.places([image_id for image_id, _ in line])
        scores = np.array([score for _, score in line])
        return Near(rows[rows >= 0], scores[rows >= 0]), whole

    def _vectors(self, asked: Likeness, spec: ModelSpec) -> list[NDArray[np.float32]]:
        if asked.text:
            return list(encoding.texts(self.encode(), spec, [asked.text], self.progress))
        if (self.conditions.places(asked.image_ids) < 0).any():
            raise HilumError(ErrorCode.NOT_FOUND, "a film to be near to is not in the archive; look for its id again")
        return [self.store.vector(spec, image_id) for image_id in asked.image_ids]

    def _least(self, asked: Likeness, spec: ModelSpec) -> float:
        if not asked.at_least:
            return -2.0
        found = None
        if not asked.text or asked.finding:
            curves = calibrations.curves(self.facts, [spec.fingerprint])[spec.fingerprint]
            found = curves.best(WORDS if asked.text else FILM, asked.finding)
        if found is None or found[1] != asked.finding:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                "no probability is known for this question with this model: run `hilum analyze calibrate`, name the "
                "finding that words ask for, or cut at a rank (top)",
            )
        return cutoff(found[0], asked.at_least)
