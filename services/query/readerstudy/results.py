"""What came out of a study: answers as arrays, and every figure with its interval.

A set's own order of films is the model's, the nearest first, so the model's choice is its first k films, in whatever
order readers saw them. A choice by readers, by their consensus or by grades is `agreement.top` of what they said.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from services.core.errors import invalid
from services.core.facts import Facts, images, reader_studies
from services.core.facts.reader_studies import Answer, Content, Reader, Study
from services.core.labels import LabelState, merge
from services.query.readerstudy import agreement
from services.query.readerstudy.agreement import Array, Bootstrap, Figure
from services.query.readerstudy.design import MOST_GRADE, Design, Kind

LEAST_OF_GROUP = 3  # sets of a finding; fewer are not told apart
_MARGIN, _Z = 0.05, 1.959964
_DEPTHS = (1, 3, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class Told:
    """What one reader's answers come to. seconds: median on a set."""

    name: str
    sets: int
    model: Figure
    model_kappa: Figure
    others: Figure
    repeats: int
    itself: Figure
    itself_kappa: Figure
    ndcg: Figure
    seconds: float


@dataclass(frozen=True, slots=True)
class Pair:
    one: str
    other: str
    sets: int
    agreement: Figure
    kappa: Figure


@dataclass(frozen=True, slots=True)
class Group:
    """Sets whose query has a finding, or that were drawn from a stratum."""

    name: str
    stratum: bool
    sets: int
    consensus: Figure
    readers: Figure
    fleiss: Figure
    ndcg: Figure


@dataclass(frozen=True, slots=True)
class Depth:
    k: int
    ndcg: Figure
    chance: float


_NONE = Figure()


@dataclass(slots=True)
class Results:
    """beyond: how much more readers agree with the model than with each other.  grades: (S, n) of the consensus."""

    sets: int
    chance: float
    consensus: Figure = _NONE
    least: float = math.nan
    most: float = math.nan
    consensus_kappa: Figure = _NONE
    readers: Figure = _NONE
    between: Figure = _NONE
    beyond: Figure = _NONE
    fleiss: Figure = _NONE
    each: list[Told] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    depths: list[Depth] = field(default_factory=list)
    enough: int = 0
    numbers: list[int] = field(default_factory=list)
    grades: Array = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass(frozen=True)
class Judged:
    """Answers as arrays: R readers, S sets that are shown and answered by somebody, n films each, the nearest first.

    ratings: (R, S, n) 1 for chosen and 0 for not, or grades; −1 in sets that a reader did not answer.
    again: per reader, the ratings (2, T, n) of the T sets answered twice.
    """

    design: Design
    readers: list[Reader]
    numbers: list[int]
    contents: list[Content]
    ratings: NDArray[np.int64]
    again: list[NDArray[np.int64]]
    seconds: list[float]

    @property
    def graded(self) -> bool:
        return self.design.kind is Kind.GRADES


def judged(facts: Facts, study: Study, names: Collection[str] = ()) -> Judged:
    """What was answered, by all readers or those of these names. Raises INVALID_ARGUMENT for a name nobody has."""
    design, contents = Design.of(study.design), reader_studies.contents(facts, study.study_id)
    invited = reader_studies.invited(facts, study.study_id)
    if unknown := set(names) - {reader.name for reader in invited}:
        raise invalid(f"nobody of these names was invited: {len(unknown)} of {len(names)}")
    answers = reader_studies.answers(facts, study.study_id)
    said = {(one.reader_id, one.number): one for one in answers if contents[one.number]}
    twice = reader_studies.repeats(study)
    own = len(contents) - len(twice)
    able = {reader_id for reader_id, number in said if number < own}
    readers = [one for one in invited if one.reader_id in able and (not names or one.name in names)]
    mine = {one.reader_id for one in readers}
    numbers = sorted({number for reader_id, number in said if number < own and reader_id in mine})
    ratings = np.full((len(readers), len(numbers), design.films), -1, dtype=np.int64)
    for r, reader in enumerate(readers):
        for s, number in enumerate(numbers):
            if one := said.get((reader.reader_id, number)):
                ratings[r, s] = _rated(one, design)
    again, seconds = [], []
    for reader in readers:
        both = [
            (_rated(said[reader.reader_id, first], design), _rated(said[reader.reader_id, own + place], design))
            for place, first in enumerate(twice)
            if (reader.reader_id, first) in said and (reader.reader_id, own + place) in said
        ]
        again.append(np.array(both, dtype=np.int64).reshape(-1, 2, design.films).transpose(1, 0, 2))
        seconds.append(float(np.median([one.seconds for key, one in said.items() if key[0] == reader.reader_id])))
    return Judged(design, readers, numbers, [contents[n] for n in numbers], ratings, again, seconds)


def results(facts: Facts, answers: Judged) -> Results:
    """Every figure. Intervals draw queries again; the readers stay the same."""
    design, k = answers.design, answers.design.nearest
    found = Results(len(answers.numbers), k / design.films, numbers=answers.numbers)
    if not answers.numbers:
        return found
    queries = [str(content["query"]) for content in answers.contents]
    sums = _Sums.of(answers)
    draws = Bootstrap.of(queries, design.seed)
    found.grades = sums.votes
    found.consensus, found.readers = draws.mean(sums.with_model), _mean(draws, sums.readers_with_model)
    least, most = agreement.ties(sums.consensus, sums.model, k)
    found.least, found.most = float(least.mean()), float(most.mean())
    found.consensus_kappa = agreement.cohen(
        agreement.chosen(sums.consensus), agreement.chosen(sums.model), draws, False
    )
    found.fleiss = agreement.fleiss(sums.said, draws)
    pairs = list(combinations(range(len(answers.readers)), 2))
    overlaps = [agreement.overlap(sums.shares[a], sums.shares[b], k) for a, b in pairs]
    if overlaps:
        found.between = _mean(draws, overlaps)
        found.beyond = draws.figure(
            lambda weights: _means(sums.readers_with_model, weights) - _means(overlaps, weights), found.sets
        )
    for (a, b), values in zip(pairs, overlaps, strict=True):
        kappa = agreement.cohen(sums.said[a], sums.said[b], draws, answers.graded)
        one, other = answers.readers[a].name, answers.readers[b].name
        found.pairs.append(Pair(one, other, int(np.isfinite(values).sum()), draws.mean(values), kappa))
    found.each = [_told(answers, sums, draws, r) for r in range(len(answers.readers))]
    found.groups = [
        _group(sums, draws, name, stratum, inside, answers)
        for name, stratum, inside in _groups(facts, answers.contents, queries)
    ]
    if answers.graded:
        for depth in sorted({one for one in (*_DEPTHS, k, design.films) if one <= design.films}):
            chance = agreement.ndcg_by_chance(sums.votes, depth)
            figure = draws.mean(agreement.ndcg(sums.votes, depth))
            found.depths.append(Depth(depth, figure, float(agreement.average(chance))))
    found.enough = _enough(sums.with_model)
    return found


@dataclass(frozen=True)
class _Sums:
    """shares: (R, S, n) each reader's choice.  votes: (S, n) readers who chose a film, or their mean grade.  consensus,
    model: (S, n) choices.  said: (R, S, n, C)."""

    shares: Array
    votes: Array
    consensus: Array
    model: Array
    said: Array
    with_model: Array
    readers_with_model: list[Array]

    @classmethod
    def of(cls, answers: Judged) -> _Sums:
        k, rated = answers.design.nearest, answers.ratings
        scores = np.where(rated < 0, np.nan, rated.astype(np.float64))
        shares = np.stack([agreement.top(one, k) for one in scores])
        votes = agreement.average(scores)  # every set was answered by somebody
        consensus = agreement.top(votes, k)
        model = np.zeros_like(votes)
        model[:, :k] = 1.0
        said = np.stack([agreement.graded(one, MOST_GRADE + 1 if answers.graded else 2) for one in rated])
        with_model = agreement.overlap(consensus, model, k)
        return cls(shares, votes, consensus, model, said, with_model, [agreement.overlap(s, model, k) for s in shares])


def _told(answers: Judged, sums: _Sums, draws: Bootstrap, r: int) -> Told:
    k, others = answers.design.nearest, np.delete(answers.ratings, r, axis=0)
    alone = np.full(len(answers.numbers), np.nan)
    if len(others):
        scores = np.where(others < 0, np.nan, others.astype(np.float64))
        alone = agreement.overlap(sums.shares[r], agreement.top(agreement.average(scores), k), k)
    kappa = agreement.cohen(agreement.chosen(sums.shares[r]), agreement.chosen(sums.model), draws)
    first, second = answers.again[r]
    again = Bootstrap.of(range(len(first)), answers.design.seed)
    categories = MOST_GRADE + 1 if answers.graded else 2
    twice = [agreement.graded(one, categories) for one in (first, second)]
    same = (first == second).mean(axis=1) if answers.graded else (first * second).sum(axis=1) / k
    itself = again.mean(same) if len(first) else Figure()
    itself_kappa = agreement.cohen(twice[0], twice[1], again, answers.graded) if len(first) else Figure()
    ndcg = Figure()
    if answers.graded:
        own = np.where(answers.ratings[r] < 0, np.nan, answers.ratings[r].astype(np.float64))
        ndcg = draws.mean(agreement.ndcg(own, k))
    values = sums.readers_with_model[r]
    return Told(
        answers.readers[r].name, int(np.isfinite(values).sum()), draws.mean(values), kappa, draws.mean(alone),
        len(first), itself, itself_kappa, ndcg, answers.seconds[r],
    )  # fmt: skip


def _groups(
    facts: Facts, contents: Sequence[Content], queries: Sequence[str]
) -> list[tuple[str, bool, NDArray[np.bool_]]]:
    """Name, whether it is a stratum, and which sets are of it; those with few sets are left out, and findings
    that are a stratum."""
    records = images.get(facts, queries)
    stated: dict[str, set[int]] = {}
    strata: dict[str, set[int]] = {}
    for s, (content, query) in enumerate(zip(contents, queries, strict=True)):
        if stratum := str(content.get("stratum") or ""):
            strata.setdefault(stratum, set()).add(s)
        merged = merge(list(records[query].labels)) if query in records else {}
        for name, state in merged.items():
            if state is LabelState.PRESENT:
                stated.setdefault(name, set()).add(s)
    found = []
    for groups, stratum_ in ((strata, True), (stated, False)):
        for name, mine in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            if len(mine) >= LEAST_OF_GROUP and (stratum_ or mine not in strata.values()):
                found.append((name, stratum_, np.isin(np.arange(len(queries)), sorted(mine))))
    return found


def _group(
    sums: _Sums, draws: Bootstrap, name: str, stratum: bool, inside: NDArray[np.bool_], answers: Judged
) -> Group:
    """Figures of some sets: the same draws, with nothing outside them counted."""
    mine = Bootstrap(draws.weights * inside)
    k = answers.design.nearest

    def within(values: Array) -> Array:
        return np.where(inside, values, np.nan)

    ndcg = mine.mean(within(agreement.ndcg(sums.votes, k))) if answers.graded else Figure()
    readers = _mean(mine, [within(values) for values in sums.readers_with_model])
    said = sums.said * inside[None, :, None, None]
    return Group(
        name,
        stratum,
        int(inside.sum()),
        mine.mean(within(sums.with_model)),
        readers,
        agreement.fleiss(said, mine),
        ndcg,
    )


def _mean(draws: Bootstrap, of: Sequence[Array]) -> Figure:
    return draws.figure(lambda weights: _means(of, weights), int(np.isfinite(np.array(of)).any(axis=0).sum()))


def _means(of: Sequence[Array], weights: Array) -> Array:
    """(B,): the mean over judges, or pairs of them, of each one's own mean over sets."""
    return agreement.average(np.array([agreement.mean(values, weights) for values in of]))


def _enough(values: Array) -> int:
    """Sets that bring the interval of their mean to ± 0.05; 0 where they are too few to tell, or all alike."""
    spread = float(values.std(ddof=1)) if len(values) >= 5 else 0.0
    return math.ceil((_Z * spread / _MARGIN) ** 2)


def _rated(said: Answer, design: Design) -> NDArray[np.int64]:
    if design.kind is Kind.GRADES:
        return np.array(said.answer["grades"], dtype=np.int64)
    rated = np.zeros(design.films, dtype=np.int64)
    rated[said.answer["chosen"]] = 1
    return rated
