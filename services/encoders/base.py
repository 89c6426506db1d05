"""What an encoder is to the rest of Hilum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from services.core.models import ModelSpec
from services.core.types import Film


@runtime_checkable
class Encoder(Protocol):
    """Pixels and, where the model has a text tower, words to vectors of one space.

    `preprocess` is cheap enough to run in decode workers and pure; `encode_*` run the network in one batch.
    """

    @property
    def spec(self) -> ModelSpec: ...

    def preprocess(self, film: Film) -> NDArray[np.float32]:
        """Film → (3, S, S) float32, exactly as the model's authors prepare it."""
        ...

    def encode_images(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 3, S, S) float32 → (N, D) float32, L2-normalised where the spec says so."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts → (N, D) float32, L2-normalised. Raises FAILED_PRECONDITION when `spec.text_space` is None."""
        ...
