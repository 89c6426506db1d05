"""What every vector must be before it is written or asked with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.models import ModelSpec


def check_vectors(spec: ModelSpec, vectors: NDArray[np.float32]) -> None:
    """Refuse vectors that are not (N, *spec.shape), finite and non-zero, before anything is written.

    Engines do not: NaN and infinity rank first over gRPC, and a zero vector has no direction. Raises
    FAILED_PRECONDITION for a wrong shape, INVALID_ARGUMENT for a wrong number.
    """
    if vectors.ndim != len(spec.shape) + 1:
        raise _misshapen(spec, vectors)
    _check_numbers(spec, vectors, vectors.shape[1:] == spec.shape)


def check_question(spec: ModelSpec, vector: NDArray[np.float32]) -> None:
    """The same for what is asked with: (D,), and for models of several tokens also (T, D) with any number T of them."""
    several = spec.tokens > 1 and vector.ndim == 2 and len(vector) > 0
    _check_numbers(spec, vector[None], (several or vector.ndim == 1) and vector.shape[-1] == spec.dim)


def _check_numbers(spec: ModelSpec, vectors: NDArray[np.float32], fits: bool) -> None:
    if not fits:
        raise _misshapen(spec, vectors)
    if not np.isfinite(vectors).all():
        raise invalid("a vector holds NaN or infinity; every number must be finite")
    # In float64: a length must not overflow, nor vanish, in the arithmetic that checks it.
    square = np.einsum("...j,...j->...", vectors, vectors, dtype=np.float64)
    if square.size and not _SHORTEST < square.min() <= square.max() < _LONGEST:
        raise invalid("a vector is all zeros, or too short or long to have a direction; normalise it first")


def _misshapen(spec: ModelSpec, vectors: NDArray[np.float32]) -> HilumError:
    wanted, got = ("x".join(map(str, shape)) for shape in (spec.shape, vectors.shape[1:] or (0,)))
    return HilumError(ErrorCode.FAILED_PRECONDITION, f"model {spec.name} has vectors of {wanted} numbers, not of {got}")


# Squares of lengths that float32 arithmetic, the engines' own, still handles.
_SHORTEST, _LONGEST = 1e-30, 1e37
