"""Intervals that know patients: films of one patient are not independent, so patients are what is drawn again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.analytics.estimate import Estimate

DRAWS = 1000


def weights(people: int, draws: int, seed: int) -> NDArray[np.float64]:
    """(draws, people): how often each patient is in each draw with replacement."""
    random = np.random.default_rng(seed)
    return random.multinomial(people, np.full(people, 1 / people), size=draws).astype(np.float64)


def means(values: NDArray[np.float64], patients: NDArray[np.int32], seed: int, draws: int = DRAWS) -> list[Estimate]:
    """Mean of each column of values (N, M) over films, its interval by patients. NaN is no value: it is left out."""
    sums, counts = _by_patient(values, patients)
    drawn = weights(len(sums), draws, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = sums.sum(axis=0) / counts.sum(axis=0)
        again = (drawn @ sums) / (drawn @ counts)
    return [Estimate.of(value, again[:, column]) for column, value in enumerate(whole)]


def patient_means(values: NDArray[np.float64], patients: NDArray[np.int32]) -> NDArray[np.float64]:
    """(P, M): each patient's own mean, NaN where there is none."""
    sums, counts = _by_patient(values, patients)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums / counts


def _by_patient(
    values: NDArray[np.float64], patients: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    _, code = np.unique(patients, return_inverse=True)
    there = np.isfinite(values)
    sums = np.zeros((int(code.max(initial=-1)) + 1, values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, code, np.where(there, values, 0.0))
    np.add.at(counts, code, there)
    return sums, counts
