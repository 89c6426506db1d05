"""Intervals of what is too dear to be measured a thousand times: leave out a tenth of the patients, ten times.

The delete-a-group jackknife (Kott 2001): patients fall at random into G groups of one size; of the G figures without
one group each, the variance is (G − 1)/G · Σ (θ₋g − mean)², and Student's t has G − 1 degrees of freedom.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from services.analytics.estimate import Estimate

GROUPS = 10


def groups(patients: NDArray[np.int32], seed: int) -> NDArray[np.int32]:
    """(N,) the group of each film, 0 … G − 1; G is `GROUPS`, or the patients where those are fewer."""
    names, code = np.unique(patients, return_inverse=True)
    dealt = np.arange(len(names)) % GROUPS
    return np.random.default_rng(seed).permutation(dealt).astype(np.int32)[code]


def estimate(value: float, without: ArrayLike) -> Estimate:
    """value: of all films.  without: (G,) the same figure without each group; with fewer than three there is no
    interval."""
    left = np.asarray(without, dtype=np.float64)
    left = left[np.isfinite(left)]
    if len(left) < 3:
        return Estimate(float(value), float("nan"), float("nan"))
    error = np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum())
    margin = float(stats.t.ppf(0.975, len(left) - 1) * error)
    return Estimate(float(value), float(value) - margin, float(value) + margin)
