"""How Google's own clients of MedSigLIP prepare a film. They differ from each other and from the hub's configuration.

Facts: the model card's and the quick start notebook's ``tf.image.resize(..., antialias=False)``, and
``python/serving/predictor.py`` of github.com/google-health/medsiglip, read in 2026.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.encoders.base import Frame
from services.encoders.preprocess import Fit, Grey, Levels, Recipe, Squash

VARIANTS = ("card", "vertex")


def recipe(variant: str, size: int, levels: Levels) -> Recipe:
    """``card`` or ``vertex``, ending in a square of `size`. Raises KeyError for another name."""
    fit: Fit = {"card": TensorflowBilinear(size), "vertex": SquarePad(size)}[variant]
    return Recipe(levels, fit)


@dataclass(frozen=True, slots=True)
class TensorflowBilinear:
    """The model card: both edges to `size` by bilinear interpolation without antialiasing, truncated to 8 bits.

    Equal to TensorFlow's ``resize(method="bilinear", antialias=False)`` to the last bit, as truncation demands: a level
    of 199.99998 instead of 200 is one level less.
    """

    size: int

    @property
    def name(self) -> str:
        return f"squash-{self.size}-tf-bilinear-floor"

    def __call__(self, grey: Grey) -> Grey:
        (above, below, down), (left, right, across) = (_between(side, self.size) for side in grey.shape)
        upper, lower = grey[above].astype(np.float32), grey[below].astype(np.float32)
        upper = upper[:, left] + (upper[:, right] - upper[:, left]) * across
        lower = lower[:, left] + (lower[:, right] - lower[:, left]) * across
        return (upper + (lower - upper) * down[:, None]).astype(np.uint8)

    def frame(self, height: int, width: int) -> Frame:
        return Frame(0, 0, height, width)


def _between(side: int, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each of `size` places along an edge of `side` pixels: its two neighbours, and how far it lies past the first.

    In single precision with half-pixel centres, as TensorFlow counts.
    """
    half = np.float32(0.5)
    place = (np.arange(size, dtype=np.float32) + half) * (np.float32(side) / np.float32(size)) - half
    before = np.floor(place)
    first, second = np.maximum(before, 0).astype(np.intp), np.minimum(before + 1, side - 1).astype(np.intp)
    return first, second, place - before


@dataclass(frozen=True, slots=True)
class SquarePad:
    """The served model, "method performed in training": black to a square around the film, then resized by Pillow.

    An odd margin goes to the bottom or the right. Their pixels are 0–1 on the way: no level of an 8-bit film changes.
    """

    size: int
    resample: str = "bicubic"

    @property
    def name(self) -> str:
        return f"square-black-{self.size}-{self.resample}"

    def __call__(self, grey: Grey) -> Grey:
        short = [max(grey.shape) - side for side in grey.shape]
        return Squash(self.size, self.resample)(np.pad(grey, [(n // 2, n - n // 2) for n in short]))

    def frame(self, height: int, width: int) -> Frame:
        side = max(height, width)
        return Frame(-((side - height) // 2), -((side - width) // 2), side, side)
