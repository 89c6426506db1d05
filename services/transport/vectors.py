"""Vectors to and from the contract's message: one vector, or several of equal length, row after row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.v1 import encode_pb2
from services.core.errors import invalid


def to_message(vector: NDArray[np.float32]) -> encode_pb2.Vector:
    """``(D,)`` or ``(T, D)``."""
    return encode_pb2.Vector(values=vector.ravel(), tokens=len(vector) if vector.ndim == 2 else 0)


def from_message(message: encode_pb2.Vector) -> NDArray[np.float32]:
    """``(D,) float32``, or ``(T, D)`` where the message says so. Raises INVALID_ARGUMENT for rows of unequal length."""
    count = len(message.values)
    values = np.fromiter(message.values, dtype=np.float32, count=count)
    if not message.tokens:
        return values
    if message.tokens < 0 or not count or count % message.tokens:
        raise invalid("a vector's values are no rows of equal length, as many as its tokens; send T rows of D numbers")
    return values.reshape(message.tokens, -1)
