"""Every retriever answers every query: exact rankings of all films, a block of queries at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.analytics.progress import Progress
from services.analytics.retrieval import measures
from services.analytics.retrieval.relevance import Question
from services.core.hubs import corrected

RANDOM = "random films"
FIRST = 5  # films of each answer that are kept, to be shown
RANK_CONSTANT = 60  # of reciprocal-rank fusion, as searches use it: Cormack, Clarke & Büttcher 2009
_BLOCK = 2**22  # scores at a time
_REACH = 64  # times the films wanted: how far down a ranking they are looked for first


@dataclass(frozen=True)
class Space:
    """A model's films. unit: (N, D) float32, L2-normalised.  density: (N,) mean cosine with the neighbours, for
    correction.  words: (M, D) of texts that ask, too."""

    name: str
    unit: NDArray[np.float32]
    density: NDArray[np.float32] | None = None
    words: NDArray[np.float32] | None = None

    def asking(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(B, D): films, and behind them words."""
        mine = self.unit[np.minimum(rows, len(self.unit) - 1)]
        texts = rows >= len(self.unit)
        if self.words is not None and texts.any():
            mine[texts] = self.words[rows[texts] - len(self.unit)]
        return mine


@dataclass
class Scores:
    """Of one question: which films asked, measure → retriever → (Q,) values, and what chance gives."""

    rows: NDArray[np.int64]
    values: dict[str, dict[str, NDArray[np.float64]]] = field(default_factory=dict)
    chance: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    first: dict[str, NDArray[np.int64]] = field(default_factory=dict)  # retriever → (Q, FIRST) films found first


def evaluate(
    spaces: Sequence[Space],
    questions: Sequence[Question],
    rows: NDArray[np.int64],
    patients: NDArray[np.int32],
    depths: Sequence[int],
    methods: Sequence[str],
    fuse: bool,
    seed: int,
    progress: Progress,
) -> dict[str, Scores]:
    """Question → its scores, for those of the films (and words, behind them) `rows` that can ask it.

    patients: (N + M,) of the films, and one apiece of the words.
    methods: corrections beside none ("").  fuse: also the reciprocal-rank fusion of all spaces, for each method.
    """
    random, parts = np.random.default_rng(seed), {question.name: _Parts() for question in questions}
    films = len(spaces[0].unit)
    step = max(1, _BLOCK // films)
    progress("rankings", 0, len(rows))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        asking = [(question, question.asks[block]) for question in questions]
        graded = {q.name: q.grades(block[mine], patients) for q, mine in asking}
        for question, mine in asking:
            parts[question.name].begin(block[mine], graded[question.name], depths)
        own = any(question.own for question in questions)
        barred = np.zeros((len(block), films), dtype=bool) if own else patients[block][:, None] == patients[:films]
        itself = np.flatnonzero(block < films)
        barred[itself, block[itself]] = True
        for name, order in _orders(spaces, block, barred, methods, fuse, random):
            for question, mine in asking:
                parts[question.name].add(name, order[mine], depths)
        progress("rankings", start + len(block), len(rows))
    return {question.name: parts[question.name].whole() for question in questions}


def _orders(
    spaces: Sequence[Space],
    block: NDArray[np.int64],
    barred: NDArray[np.bool_],
    methods: Sequence[str],
    fuse: bool,
    random: np.random.Generator,
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Retriever → (B, N) films, best first; equal scores in the order of rows, barred films last."""
    fused = {method: np.zeros(barred.shape, dtype=np.float64) for method in methods} if fuse else {}
    for space in spaces:
        cosine = space.asking(block) @ space.unit.T
        for method in methods:
            score = corrected(method, cosine, space.density) if space.density is not None else cosine
            order = _order(score, barred)
            yield _named(space.name, method), order
            if fuse:
                rank = np.empty_like(order)
                np.put_along_axis(rank, order, np.arange(1, order.shape[1] + 1)[None, :], axis=1)
                fused[method] += 1.0 / (RANK_CONSTANT + rank)
    for method, score in fused.items():
        yield _named("fused", method), _order(score, barred)
    yield RANDOM, _order(random.random(barred.shape, dtype=np.float32), barred)


def _order(score: NDArray[np.floating], barred: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.argsort(np.where(barred, np.inf, -score), axis=1, kind="stable")


def _named(name: str, method: str) -> str:
    return f"{name}, {method}" if method else name


class _Parts:
    """Values of one question, gathered block by block."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.int64]] = []
        self._values: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
        self._chance: dict[str, list[NDArray[np.float64]]] = {}
        self._first: dict[str, list[NDArray[np.int64]]] = {}

    def begin(self, rows: NDArray[np.int64], grades: NDArray[np.float32], depths: Sequence[int]) -> None:
        """The next films that ask, and the grades (B, N) of all films for them."""
        deepest = min(max(depths), grades.shape[1])
        self._rows.append(rows)
        self._grades = grades
        self._relevant = (grades > 0).sum(axis=1)
        best = -np.partition(-grades, deepest - 1, axis=1)[:, :deepest] if len(rows) else grades[:, :deepest]
        self._ideal = -np.sort(-np.maximum(best, 0), axis=1)
        judged = (grades >= 0).sum(axis=1)
        mean = np.maximum(grades, 0).sum(axis=1) / np.maximum(judged, 1)
        for k in depths:
            for name, value in measures.by_chance(judged, self._relevant, mean, self._ideal, k).items():
                self._chance.setdefault(f"{name}@{k}", []).append(value)

    def add(self, retriever: str, order: NDArray[np.int64], depths: Sequence[int]) -> None:
        """One retriever's ranking (B, N) for them."""
        deepest = self._ideal.shape[1]
        wanted, reach = max(deepest, FIRST), _REACH * max(deepest, FIRST)
        judged = (self._grades >= 0).sum(axis=1)
        while True:  # as far down the ranking as the judged films wanted are: mostly near its top
            found = np.take_along_axis(self._grades, order[:, :reach], axis=1)
            place = np.cumsum(found >= 0, axis=1) - 1  # among the judged
            if reach >= order.shape[1] or (place[:, -1] + 1 >= np.minimum(wanted, judged)).all():
                break
            reach *= 8
        row, column = np.nonzero((found >= 0) & (place < wanted))
        at = place[row, column]
        gains = np.zeros((len(order), deepest), dtype=np.float32)
        gains[row[at < deepest], at[at < deepest]] = found[row, column][at < deepest]
        first = np.full((len(order), FIRST), -1, dtype=np.int64)
        first[row[at < FIRST], at[at < FIRST]] = order[row, column][at < FIRST]
        self._first.setdefault(retriever, []).append(first)
        for k in depths:
            for name, value in measures.all_at(gains, self._ideal, self._relevant, k).items():
                self._values.setdefault((f"{name}@{k}", retriever), []).append(value)

    def whole(self) -> Scores:
        scores = Scores(np.concatenate(self._rows))
        for (name, retriever), parts in self._values.items():
            scores.values.setdefault(name, {})[retriever] = np.concatenate(parts)
        scores.chance = {name: np.concatenate(parts) for name, parts in self._chance.items()}
        scores.first = {name: np.concatenate(parts) for name, parts in self._first.items()}
        return scores
