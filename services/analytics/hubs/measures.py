"""How unevenly films are found: k-occurrences, before and after correction.

N_k(x) is how many films have x among their k nearest. In spaces of many dimensions its distribution has a long tail:
a few hubs are in every answer, and many films (anti-hubs) in none. Radovanović, Nanopoulos & Ivanović 2010.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from services.analytics.estimate import Estimate
from services.analytics.graph import Graph
from services.analytics.resample import weights
from services.core.hubs import corrected

HUB = 5  # times as often a neighbour as the mean film
_DRAWS = 500


def density(pool: Graph, k: int) -> NDArray[np.float32]:
    """(N,) mean cosine of each film with its k nearest."""
    return 1.0 - pool.distances[:, :k].mean(axis=1)


def reranked(pool: Graph, dense: NDArray[np.float32], method: str, k: int) -> NDArray[np.int32]:
    """(N, k): the first k of each film's pool in the order of the corrected score, as a search corrects what it found.
    Films with one score come by their row."""
    score = corrected(method, 1.0 - pool.distances, dense[pool.ids])
    order = np.lexsort((pool.ids, -score), axis=1)[:, :k]
    return np.take_along_axis(pool.ids, order, axis=1)


def occurrences(near: NDArray[np.int32]) -> NDArray[np.int64]:
    """(N,): how many films have each among their neighbours. near: (N, k) rows."""
    return np.bincount(near.ravel(), minlength=len(near))


def skewness(counts: NDArray[np.int64], patients: NDArray[np.int32], seed: int) -> Estimate:
    """Third standardised moment of k-occurrences, patients resampled with their films' counts as they are."""
    powers = np.stack([np.ones(len(counts)), counts, counts**2.0, counts**3.0], axis=1)
    sums = np.zeros((int(patients.max()) + 1, 4))
    np.add.at(sums, patients, powers)
    sums = sums[sums[:, 0] > 0]
    drawn = weights(len(sums), _DRAWS, seed) @ sums
    first, second, third = (drawn[:, 1:] / drawn[:, :1]).T
    with np.errstate(invalid="ignore", divide="ignore"):
        again = (third - 3 * first * second + 2 * first**3) / np.maximum(second - first**2, 1e-12) ** 1.5
    return Estimate.of(float(stats.skew(counts)) if counts.std() else 0.0, again)


def uneven(counts: NDArray[np.int64]) -> dict[str, float]:
    """anti_hubs: share of films in nobody's neighbourhood.  hubs: share found HUB times as often as the mean film.
    robin_hood: share of all places in answers to be moved until all films have as many (Feldbauer et al. 2018).
    most: of the one found most often."""
    mean = counts.mean()
    return {
        "anti_hubs": float((counts == 0).mean()),
        "hubs": float((counts >= HUB * mean).mean()),
        "robin_hood": float(np.abs(counts - mean).sum() / (2 * counts.sum())),
        "most": int(counts.max()),
    }
