"""What alignment learns, and the frame in which it is learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.core.affine import Affine

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Map:
    """Two maps into one space of K numbers. method: how it was learned.  settings: what that chose by itself."""

    method: str
    of_images: Affine
    of_texts: Affine
    settings: dict[str, float]

    def images(self, vectors: Array) -> NDArray[np.float32]:
        """(N, P) of the image encoder → (N, K) float32, L2-normalised."""
        return self.of_images(vectors)

    def texts(self, vectors: Array) -> NDArray[np.float32]:
        """(N, Q) of the text space → (N, K) float32, L2-normalised."""
        return self.of_texts(vectors)


@dataclass(frozen=True)
class Frame:
    """A space seen from its middle along its K directions of most variance: ``unit((x − mean) axes)``.

    Encoders leave most of a vector the same for every input; what is left after the mean is what can be aligned.
    """

    mean: Array
    axes: Array

    def __call__(self, vectors: Array) -> NDArray[np.float64]:
        """(N, P) → (N, K) float64, of length 1."""
        return unit((vectors - self.mean) @ self.axes)

    def then(self, turn: Array) -> Affine:
        """This frame and a (K, K) matrix after it, as one map."""
        weight = self.axes @ turn
        return Affine(weight.astype(np.float32), (-self.mean @ weight).astype(np.float32))


def frame(vectors: Array, dim: int) -> Frame:
    """Of (N, P) vectors, with `dim` ≤ P axes."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    _, directions = np.linalg.eigh(centred.T @ centred)
    return Frame(mean, directions[:, ::-1][:, :dim])


def unit(vectors: Array) -> NDArray[np.float64]:
    """Rows of length 1, float64; a row of zeros stays."""
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def rotation(images: Array, texts: Array) -> NDArray[np.float64]:
    """The orthogonal (K, K) matrix that brings rows of `images` nearest to those of `texts` (Schönemann 1966)."""
    left, _, right = np.linalg.svd(images.T @ texts)
    return left @ right
