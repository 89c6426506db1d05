"""Is a retriever better than chance, or than another? Patients are the units; both answered the same films."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from services.analytics.resample import means, patient_means

FLIPS = 10_000


def paired(
    one: NDArray[np.float64], other: NDArray[np.float64], patients: NDArray[np.int32], seed: int
) -> dict[str, object]:
    """The difference one − other of two retrievers' values (Q,), with its interval; t-test and randomisation test of
    patients' mean differences being 0, two-sided.

    The randomisation test swaps the two retrievers patient by patient: were they alike, any swap were as likely as what
    was seen (Fisher's; for retrieval Smucker, Allan & Carterette 2007).
    """
    difference = (one - other)[:, None]
    estimate = means(difference, patients, seed)[0]
    each = patient_means(difference, patients)[:, 0]
    each = each[np.isfinite(each)]
    if len(each) < 2 or not each.any():
        return {"difference": estimate, "t": None, "p_t": None, "p_permutation": None}
    tested = stats.ttest_1samp(each, 0.0) if each.std() else None
    random, seen, as_far = np.random.default_rng(seed), abs(each.mean()), 0
    for _ in range(0, FLIPS, 500):
        signs = random.integers(0, 2, size=(500, len(each)), dtype=np.int8) * 2 - 1
        as_far += int((np.abs(signs @ each) / len(each) >= seen - 1e-12).sum())
    return {
        "difference": estimate,
        "t": float(tested.statistic) if tested else None,
        "p_t": float(tested.pvalue) if tested else None,
        "p_permutation": (as_far + 1) / (FLIPS + 1),
    }
