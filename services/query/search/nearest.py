"""Each model's nearest films."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from services.core import filters
from services.core.facts import Facts, images
from services.core.filters import Expr
from services.core.models import ModelSpec
from services.core.store import Scored, VectorStore
from services.query.films import Films
from services.query.search.questions import Ask
from services.query.search.recall import RecallSampler

_MODELS_AT_ONCE = 8
T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Read:
    """rankings: model → its films, nearest first, among which some may not be committed yet.  films: those behind them.
    whole: is there nothing further to read?"""

    rankings: dict[str, list[Scored]]
    films: Films
    whole: bool


class Nearest:
    """Reads rankings, several models side by side. Safe to share between threads."""

    def __init__(self, facts: Facts, store: VectorStore, sampler: RecallSampler) -> None:
        self._facts, self._store, self._sampler = facts, store, sampler
        self._pool = ThreadPoolExecutor(_MODELS_AT_ONCE, thread_name_prefix="search")

    def __call__(
        self,
        asks: Mapping[ModelSpec, Sequence[Ask]],
        where: Expr | None,
        depth: int,
        exact: bool,
    ) -> Read:
        """The `depth` nearest films of every model."""
        wanted = [(spec, ask) for spec, theirs in asks.items() for ask in theirs]
        found = self.each(wanted, lambda one: self._one(*one, where, depth, exact))
        films = Films(self._facts)
        lists: dict[ModelSpec, list[list[Scored]]] = {spec: [] for spec in asks}
        for (spec, _), ranking in zip(wanted, found, strict=True):
            lists[spec].append(ranking)
        rankings = {
            spec.name: theirs[0]
            if len(theirs) == 1
            else by_study([self._held(spec, ranking) for ranking in theirs], films, depth)
            for spec, theirs in lists.items()
        }
        return Read(rankings, films, all(len(ranking) < depth for ranking in found))

    def committed(self, read: Read, specs: Iterable[ModelSpec]) -> Read:
        """Only those films whose facts say that the model holds them: one that is being ingested is not there yet."""
        kept = {spec.name: self._held(spec, read.rankings[spec.name]) for spec in specs}
        return Read(kept, Films(self._facts), read.whole)

    def each(self, things: Sequence[K], work: Callable[[K], T]) -> list[T]:
        """`work` on everything, side by side when there are several."""
        return [work(things[0])] if len(things) == 1 else list(self._pool.map(work, things))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._sampler.close()

    def _held(self, spec: ModelSpec, ranking: list[Scored]) -> list[Scored]:
        missing = images.unheld(self._facts, [scored.image_id for scored in ranking], spec.fingerprint)
        return [scored for scored in ranking if scored.image_id not in missing]

    def _one(self, spec: ModelSpec, ask: Ask, where: Expr | None, depth: int, exact: bool) -> list[Scored]:
        condition = filters.to_qdrant(filters.all_of(where, ask.where))
        if ask.liked is not None and ask.disliked is not None:
            return self._store.recommend(spec, ask.liked, ask.disliked, depth, condition, exact)
        found = self._store.nearest(spec, ask.by, depth, condition, exact)
        if not exact:
            self._sampler.saw(spec, ask.by, condition, found)
        return found


def by_study(lists: Sequence[Sequence[Scored]], films: Films, depth: int) -> list[Scored]:
    """Several lists, one per view, as one: a study's score is the mean over views of its best film's.

    A study that a list of `depth` films does not reach has at most the list's last score, and gets that. Of a list
    that ends before, it has no film: it gets the middle score, for what was not taken speaks neither way. A study's
    films stand together and carry its score; films of no known study stand for themselves.
    """
    films.fetch({scored.image_id for ranking in lists for scored in ranking})
    best: dict[str, dict[int, float]] = {}
    members: dict[str, list[str]] = {}
    for number, ranking in enumerate(lists):
        for scored in ranking:
            record = films.record(scored.image_id)
            study = f"{record.dataset}/{record.study_id}" if record.study_id else scored.image_id
            best.setdefault(study, {}).setdefault(number, scored.score)
            members.setdefault(study, []).append(scored.image_id)
    otherwise = [_otherwise(ranking, depth) for ranking in lists]
    means = {}
    for study, seen in best.items():
        known = [score for n, other in enumerate(otherwise) if (score := seen.get(n, other)) is not None]
        means[study] = sum(known) / len(known)
    order = sorted(means, key=lambda study: (-means[study], study))
    return [Scored(image_id, means[study]) for study in order for image_id in members[study]]


def _otherwise(ranking: Sequence[Scored], depth: int) -> float | None:
    if not ranking:
        return None
    return ranking[-1].score if len(ranking) >= depth else median(scored.score for scored in ranking)
