"""Vectors of encoders that compute without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """L2-normalised along the last axis; what is not finite, or zero, comes out as NaN, for whoever encodes to see."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
