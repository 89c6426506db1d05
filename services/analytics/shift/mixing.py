"""Are clusters mixed? The entropy of an axis in each cluster, against what it is when values are dealt anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 400
LEAST = 5  # films of a cluster


@dataclass(frozen=True)
class Mixed:
    """Of a cluster's n films (one of each patient). entropy: of its values over that of all films, 0 one value alone, 1
    as all.  expected, low: mean and lowest 2.5 % of what chance gives.  p: of so little.  most, share: its commonest
    value."""

    cluster: int
    films: int
    entropy: float
    expected: float
    low: float
    p: float
    most: int
    share: float


def mixing(members: NDArray[np.int32], codes: NDArray[np.int32], seed: int) -> list[Mixed]:
    """Of clusters with LEAST films. members, codes: (n,) of films of different patients, values all known."""
    random, classes = np.random.default_rng(seed), int(codes.max()) + 1
    whole = float(_entropy(np.bincount(codes, minlength=classes)[None])[0])
    clusters = int(members.max()) + 1
    seen = _table(members, codes, clusters, classes)
    dealt = np.stack([_table(members, random.permutation(codes), clusters, classes) for _ in range(DRAWS)])
    found = []
    for cluster in np.flatnonzero(seen.sum(axis=1) >= LEAST):
        entropy = float(_entropy(seen[cluster][None])[0]) / whole
        chance = _entropy(dealt[:, cluster]) / whole
        p = float((1 + (chance <= entropy + 1e-12).sum()) / (1 + DRAWS))
        films, most = int(seen[cluster].sum()), int(seen[cluster].argmax())
        share = float(seen[cluster][most] / films)
        low = float(np.percentile(chance, 2.5))
        found.append(Mixed(int(cluster), films, entropy, float(chance.mean()), low, p, most, share))
    return found


def _table(members: NDArray[np.int32], codes: NDArray[np.int32], clusters: int, classes: int) -> NDArray[np.int64]:
    return np.bincount(members.astype(np.int64) * classes + codes, minlength=clusters * classes).reshape(clusters, -1)


def _entropy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(B,) in nats, of (B, C)."""
    share = counts / counts.sum(axis=1, keepdims=True)
    found: NDArray[np.float64] = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1) + 0.0  # and no −0
    return found
