"""Maps of vectors that are learned in one place and applied in another: ``x ↦ unit(x W + b)``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Affine:
    """weight: (P, K) float32.  bias: (K,) float32.  Raises FAILED_PRECONDITION for other shapes or numbers."""

    weight: Array
    bias: Array

    def __post_init__(self) -> None:
        fits = self.weight.ndim == 2 and self.bias.shape == self.weight.shape[1:]
        if not fits or not (np.isfinite(self.weight).all() and np.isfinite(self.bias).all()):
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "this learned map is damaged; learn or add it again")

    def __call__(self, vectors: NDArray[np.floating]) -> Array:
        """(N, P) → (N, K) float32, L2-normalised."""
        moved = vectors @ self.weight + self.bias
        found: Array = (moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)).astype(np.float32)
        return found
