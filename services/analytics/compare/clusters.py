"""Do two models group films alike? Indices of their partitions, and the same index of a model against itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from services.analytics import jackknife
from services.analytics.estimate import Estimate

Members = NDArray[np.int32]


@dataclass(frozen=True)
class Alike:
    """ari: adjusted Rand index (Hubert & Arabie 1985), ami: adjusted mutual information; of both 0 is chance, 1 the
    same.  nmi: normalised mutual information (arithmetic mean), which is above 0 by chance and grows with the number of
    clusters. Intervals are of the partitions as they are: how far they would change with other films they do not say.
    """

    ari: Estimate
    nmi: Estimate
    ami: Estimate


def alike(one: Members, other: Members, patients: NDArray[np.int32], seed: int) -> Alike:
    """one, other: (N,) clusters of the same films."""
    group = jackknife.groups(patients, seed)
    whole = _all(one, other)
    left = [group != number for number in range(int(group.max()) + 1)]
    without = np.array([_all(one[keep], other[keep]) for keep in left])
    return Alike(*(jackknife.estimate(whole[n], without[:, n]) for n in range(3)))


def _all(one: Members, other: Members) -> tuple[float, float, float]:
    return (
        rand(one, other),
        float(metrics.normalized_mutual_info_score(one, other)),
        float(metrics.adjusted_mutual_info_score(one, other)),
    )


def rand(one: Members, other: Members) -> float:
    """Adjusted Rand index."""
    return float(metrics.adjusted_rand_score(one, other))
