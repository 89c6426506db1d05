"""Do two models order distances alike? Rank correlation between all pairs of some films, one film of a patient each.

Pairs that share a film are not independent: intervals leave out patients (`jackknife`), and the test permutes films,
not pairs (Mantel 1967), of the ranks of distances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from services.analytics import jackknife
from services.analytics.estimate import Estimate


@dataclass(frozen=True)
class Order:
    """films: of whom all pairs were compared.  p: of as high a Spearman correlation by chance, one-sided, at least
    1 / (shuffles + 1)."""

    films: int
    spearman: Estimate
    kendall: Estimate
    p: float


def apart(patients: NDArray[np.int32], most: int, seed: int) -> NDArray[np.int64]:
    """(M,) rows: one film each of at most `most` patients."""
    order = np.random.default_rng(seed).permutation(len(patients))
    _, first = np.unique(patients[order], return_index=True)
    return np.sort(order[np.sort(first)[:most]])


def matrix(unit: NDArray[np.float32]) -> NDArray[np.float64]:
    """(M, M) cosine distances."""
    vectors = unit.astype(np.float64)
    return 1.0 - vectors @ vectors.T


def order(one: NDArray[np.float64], other: NDArray[np.float64], shuffles: int, seed: int) -> Order:
    """one, other: (M, M) distances of the same films, no two of one patient."""
    films = len(one)
    group = jackknife.groups(np.arange(films, dtype=np.int32), seed)
    whole = _both(one, other)
    without = np.array([_both(*(d[np.ix_(keep, keep)] for d in (one, other))) for keep in _kept(group)])
    spearman, kendall = (jackknife.estimate(whole[n], without[:, n]) for n in range(2))
    return Order(films, spearman, kendall, _mantel(one, other, whole[0], shuffles, seed))


def _kept(group: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(group != number) for number in range(int(group.max()) + 1)]


def _both(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    upper = np.triu_indices(len(one), 1)
    a, b = one[upper], other[upper]
    if a.std() == 0 or b.std() == 0:
        return float("nan"), float("nan")
    return float(stats.spearmanr(a, b).statistic), float(stats.kendalltau(a, b).statistic)


def _mantel(one: NDArray[np.float64], other: NDArray[np.float64], found: float, shuffles: int, seed: int) -> float:
    first, second = _ranked(one), _ranked(other)
    random = np.random.default_rng(seed)
    as_high = 0
    for _ in range(shuffles):
        mixed = random.permutation(len(one))
        as_high += float(np.vdot(first, second[np.ix_(mixed, mixed)])) >= found - 1e-9
    return (1 + as_high) / (1 + shuffles)


def _ranked(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, M): ranks of the upper triangle, centred, on both sides, scaled so that the product of two such is the
    correlation; 0 on the diagonal."""
    upper = np.triu_indices(len(distances), 1)
    ranks = stats.rankdata(distances[upper])
    ranks = (ranks - ranks.mean()) / max(np.sqrt(2 * ((ranks - ranks.mean()) ** 2).sum()), 1e-300)
    both = np.zeros_like(distances)
    both[upper] = ranks
    return both + both.T
