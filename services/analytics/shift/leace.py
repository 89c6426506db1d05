"""LEACE: least-squares concept erasure (Belrose et al. 2023, theorem 4.3), closed form.

Of all affine maps after which no linear classifier tells the classes better than a constant does, the one that moves
the vectors least: x − W⁺ Q W (x − μ), where W = (Σ½)⁺ whitens and Q projects on the columns of W Σ_xz. That the
classes' means coincide afterwards holds for any invertible W; that the vectors are moved least, for the true Σ, which
is why it is shrunk where vectors are few (Chen et al. 2010, OAS).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import oas

_SMALLEST = 1e-10  # of the largest eigenvalue: directions below it are none


@dataclass(frozen=True)
class Eraser:
    """left: (D, R), right: (R, D), of R ≤ classes − 1 directions: x − left · right · (x − mean)."""

    mean: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]

    def __call__(self, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, D) without the classes; not normalised."""
        moved = ((np.asarray(unit, dtype=np.float64) - self.mean) @ self.right.T) @ self.left.T
        found: NDArray[np.float32] = (unit - moved).astype(np.float32)
        return found


def fit(unit: NDArray[np.float32], codes: NDArray[np.int32], shrink: bool = True) -> Eraser:
    """From (n, D) vectors and their classes (n,)."""
    x = np.asarray(unit, dtype=np.float64)
    mean = x.mean(axis=0)
    x = x - mean
    z = np.eye(int(codes.max()) + 1)[codes]
    across = x.T @ (z - z.mean(axis=0)) / len(x)
    sigma = oas(x, assume_centered=True)[0] if shrink else x.T @ x / len(x)
    values, vectors = np.linalg.eigh(sigma)
    there = values > values.max() * _SMALLEST
    root, vectors = np.sqrt(values[there]), vectors[:, there]
    u, s, _ = np.linalg.svd((vectors / root).T @ across, full_matrices=False)  # in the axes of the covariance
    u = u[:, s > s.max(initial=0) * 1e-8]
    return Eraser(mean, (vectors * root) @ u, u.T @ (vectors / root).T)
