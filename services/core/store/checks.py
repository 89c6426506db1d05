"""What every vector must be before it is written or asked with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.models import ModelSpec


def check_vectors(spec: ModelSpec, vectors: NDArray[np.float32]) -> None:
    """Refuse vectors that are not (N, spec.dim), finite and non-zero, before anything is written or asked.

    Engines do not: NaN and infinity rank first over gRPC, and a zero vector has no direction. Raises
    FAILED_PRECONDITION for a wrong shape, INVALID_ARGUMENT for a wrong number.
    """
    if vectors.ndim != 2 or vectors.shape[1] != spec.dim:
        got = vectors.shape[-1] if vectors.ndim else 0
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, f"model {spec.name} has vectors of {spec.dim} numbers, not of {got}"
        )
    if not np.isfinite(vectors).all():
        raise invalid("a vector holds NaN or infinity; every number must be finite")
    # In float64: a length must not overflow, nor vanish, in the arithmetic that checks it.
    square = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    if len(square) and not _SHORTEST < square.min() <= square.max() < _LONGEST:
        raise invalid("a vector is all zeros, or too short or long to have a direction; normalise it first")


# Squares of lengths that float32 arithmetic, the engines' own, still handles.
_SHORTEST, _LONGEST = 1e-30, 1e37
