"""How like the archive a sample is: the Jensen-Shannon distance of each variable, with what chance alone would give.

The distance is the square root of the divergence in bits, 0 for the same shares and 1 for shares with nothing in common
(Endres & Schindelin 2003). Unknown is a value. The interval is by patients of the sample drawn again; drawing again
adds a distance of its own, on average the bootstrap's bias, which is taken from the divergence before its root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.analytics.estimate import Estimate
from services.analytics.progress import Progress
from services.analytics.resample import weights
from services.analytics.variables import Variable

DRAWS = 200
_AT_ONCE = 50
_CHANCE = 100


@dataclass(frozen=True)
class Likeness:
    """variable: its name and values, without the films.  distance: with its interval by patients.  chance: mean
    distance, and its 95th percentile, of as many films drawn plainly at random.  archive, sample: (V + 1,) shares,
    unknown last."""

    variable: Variable
    distance: Estimate
    chance: float
    chance_high: float
    archive: NDArray[np.float64]
    sample: NDArray[np.float64]

    @property
    def differs(self) -> bool:
        """By more than a random draw would in 95 of 100."""
        return self.distance.value > self.chance_high

    def most(self, way: int) -> tuple[str, float, float]:
        """The value of which the sample has most too much (way 1) or too little (−1): its name and both shares."""
        place = int(np.argmax(way * (self.sample - self.archive)))
        return [*self.variable.values, "unknown"][place], float(self.archive[place]), float(self.sample[place])


def divergence(p: NDArray[Any], q: NDArray[Any]) -> NDArray[np.float64]:
    """Jensen-Shannon divergence in bits along the last axis; counts or shares. NaN where one of them is of nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
        m = (p + q) / 2
        parts = np.where(p > 0, p * np.log2(p / m), 0.0) + np.where(q > 0, q * np.log2(q / m), 0.0)
    found: NDArray[np.float64] = np.maximum(parts.sum(axis=-1) / 2, 0.0)
    return np.where(np.isfinite(p + q).all(axis=-1), found, np.nan)


def likeness(
    every: Sequence[Variable], rows: NDArray[np.int64], patients: NDArray[np.int32], seed: int, progress: Progress
) -> list[Likeness]:
    """every: of the archive's N films.  rows: (n,) the sample's.  patients: (n,) numbers from 0."""
    people = int(patients.max(initial=-1)) + 1
    tables = [_by_patient(one, rows, patients, people) for one in every]
    drawn: list[list[NDArray[np.float64]]] = [[] for _ in every]
    for start in range(0, DRAWS, _AT_ONCE):
        progress("likeness", start, DRAWS)
        again = weights(people, _AT_ONCE, seed + start)
        for place, table in enumerate(tables):
            drawn[place].append((table.T @ again.T).T)
    archive = [one.counts() for one in every]
    random = np.random.default_rng(seed)
    chance: list[list[float]] = [[] for _ in every]
    for _ in range(_CHANCE if every else 0):
        plain = random.choice(len(every[0].codes), len(rows), replace=False, shuffle=False)
        for place, one in enumerate(every):
            chance[place].append(float(np.sqrt(divergence(archive[place], one.counts(plain)))))
    progress("likeness", DRAWS, DRAWS)
    return [
        _like(one, all_, one.counts(rows), np.concatenate(draws), by_chance)
        for one, all_, draws, by_chance in zip(every, archive, drawn, chance, strict=True)
    ]


def _like(
    one: Variable, archive: NDArray[np.int64], mine: NDArray[np.int64], draws: NDArray[np.float64], chance: list[float]
) -> Likeness:
    seen = float(divergence(archive, mine))
    again = divergence(archive, draws)
    spread = Estimate.of(seen, again - (np.nanmean(again) - seen))
    low, high = (float(np.sqrt(max(end, 0.0))) for end in (spread.low, spread.high))
    distance = Estimate(float(np.sqrt(seen)), low, high)
    named = replace(one, codes=one.codes[:0])
    return Likeness(
        named, distance, float(np.mean(chance)), float(np.quantile(chance, 0.95)), archive / archive.sum(),
        mine / mine.sum(),
    )  # fmt: skip


def _by_patient(one: Variable, rows: NDArray[np.int64], patients: NDArray[np.int32], people: int) -> sparse.csr_matrix:
    """(P, V + 1): films of each patient with each value."""
    codes = one.codes[rows]
    values = np.where(codes < 0, len(one.values), codes)
    return sparse.csr_matrix((np.ones(len(rows)), (patients, values)), shape=(people, len(one.values) + 1))
