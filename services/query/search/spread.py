"""Different films instead of ten alike: maximal marginal relevance (Carbonell and Goldstein 1998)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def spread(relevance: Sequence[float], vectors: NDArray[np.float32], diversity: float, limit: int) -> list[int]:
    """Rows in the order they are chosen: each is the best of (1 − diversity) · relevance − diversity · the cosine with
    its nearest already chosen. relevance is brought to 0–1 first; vectors: (N, D) float32 of unit length.
    """
    scores = np.asarray(relevance, dtype=np.float64)
    low, high = scores.min(initial=np.inf), scores.max(initial=-np.inf)
    scores = (scores - low) / (high - low) if high > low else np.ones_like(scores)
    nearest = np.zeros(len(scores))
    left = np.ones(len(scores), dtype=bool)
    chosen: list[int] = []
    while left.any() and len(chosen) < limit:
        worth = (1 - diversity) * scores - diversity * nearest
        best = int(np.flatnonzero(left)[np.argmax(worth[left])])
        chosen.append(best)
        left[best] = False
        cosines = vectors @ vectors[best]
        nearest = cosines if len(chosen) == 1 else np.maximum(nearest, cosines)
    return chosen
