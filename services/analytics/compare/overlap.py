"""Do two models hold the same films near? Jaccard of neighbours, what it is by chance, and where they part.

Neighbours here are of other patients: a patient's own films are near in nearly every space, and say little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_REFERENCES = 500  # films that "how near is that?" is asked against
_BLOCK = 256


def common(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.int64]:
    """(N,): how many rows are in both of (N, k) lists, each without repetition."""
    both = np.sort(np.concatenate([one, other], axis=1), axis=1)
    found: NDArray[np.int64] = (both[:, 1:] == both[:, :-1]).sum(axis=1)
    return found


def jaccard(one: NDArray[np.int32], other: NDArray[np.int32], k: int) -> NDArray[np.float64]:
    """(N,): films among the first k of both lists, over films among the first k of either."""
    shared = common(one[:, :k], other[:, :k])
    return shared / (2 * k - shared)


def by_chance(patients: NDArray[np.int32], k: int) -> NDArray[np.float64]:
    """(N,): the expectation of `jaccard` when both models name k films of other patients at random."""
    sizes = np.bincount(patients)[patients]
    expected = np.empty(len(patients))
    shared = np.arange(k + 1)
    for own in np.unique(sizes):
        odds = stats.hypergeom.pmf(shared, len(patients) - own, k, k)
        expected[sizes == own] = (odds * shared / (2 * k - shared)).sum()
    return expected


def shuffled(one: NDArray[np.int32], other: NDArray[np.int32], k: int, seed: int, times: int = 20) -> float:
    """Mean Jaccard of a film's neighbours in one model with *another* film's in the other: what hubs, films that are
    near everything, share without any agreement on films."""
    random = np.random.default_rng(seed)
    shift = random.integers(1, len(one), times)
    return float(np.mean([jaccard(one, np.roll(other, int(by), axis=0), k).mean() for by in shift]))


def far(unit: NDArray[np.float32], foreign: NDArray[np.int32], seed: int) -> NDArray[np.float64]:
    """(N,): how far a model finds what another holds near: of `_REFERENCES` films drawn at random, the mean share that
    is nearer to a film than its neighbours of the other model, (N, k) `foreign`. 0 nearest, 0.5 by chance, 1 farthest.
    """
    films = len(unit)
    drawn = np.sort(np.random.default_rng(seed).choice(films, min(_REFERENCES, films), replace=False))
    references = np.asarray(unit[drawn])
    found = np.empty(films)
    for start in range(0, films, _BLOCK):
        block = np.asarray(unit[start : start + _BLOCK])
        rows = np.arange(start, start + len(block))
        to_references = block @ references.T
        itself = drawn[None, :] == rows[:, None]
        to_references[itself] = -np.inf  # a film is nearer to itself than anything
        close = np.einsum("nd,nkd->nk", block, unit[foreign[rows]])
        nearer = (to_references[:, None, :] > close[:, :, None]).sum(axis=2)
        found[rows] = (nearer / (len(drawn) - itself.sum(axis=1))[:, None]).mean(axis=1)
    return found
