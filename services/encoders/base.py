"""What an encoder is to the rest of Hilum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from services.core.models import ModelSpec
from services.core.types import Film

Prepared = NDArray[np.uint8] | NDArray[np.float32]
"""A film as an encoder wants it. Most often ``(S, S)`` grey, 0–255; the encoder normalises it where it computes."""


@runtime_checkable
class Encoder(Protocol):
    """Pixels and, where the model has a text tower, words to vectors of one space.

    `preprocess` is pure and needs no torch; `encode_*` run the network and are safe between threads.
    """

    @property
    def spec(self) -> ModelSpec: ...

    def preprocess(self, film: Film) -> Prepared:
        """The film resized, cropped or padded exactly as the model's authors do."""
        ...

    def encode_images(self, batch: Sequence[Prepared]) -> NDArray[np.float32]:
        """N prepared films → ``(N, D) float32``, L2-normalised where the spec says so; ``(N, T, D)`` with T tokens."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts → ``(N, D) float32``, L2-normalised. Raises FAILED_PRECONDITION when `spec.text_space` is None."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle of a film that a network sees, in the film's pixels; it may reach beyond the film (padding)."""

    top: float
    left: float
    height: float
    width: float


@dataclass(frozen=True, slots=True)
class Patches:
    """Local vectors. grid: ``(N, h, w, P) float32``, L2-normalised, row 0 at the top.

    reads_text: do they lie in the space of `encode_texts`?
    """

    grid: NDArray[np.float32]
    reads_text: bool


@runtime_checkable
class SeesPatches(Protocol):
    """An encoder that can also say what is where."""

    def encode_patches(self, batch: Sequence[Prepared]) -> Patches: ...

    def frame(self, height: int, width: int) -> Frame:
        """Which part of a film of this size the patches cover."""
        ...


@runtime_checkable
class ScalesCosines(Protocol):
    """An encoder that was trained with a softmax or a sigmoid over cosines times a scale."""

    @property
    def logit_scale(self) -> float | None:
        """That scale; None where none was trained."""
        ...


@runtime_checkable
class Derived(Protocol):
    """An encoder whose vectors follow from those of another: no film need be read again for them."""

    @property
    def base(self) -> Encoder: ...

    def derive(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """N stored vectors of `base` → ``(N, D) float32``, as from the films themselves."""
        ...
