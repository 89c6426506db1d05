"""Ways to fit a film that single models were trained with and Pillow does not offer.

Both resize in floats, by one small matrix per edge: ``down @ film @ across.T``. Numpy and Pillow only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.types import Film
from services.encoders.base import Frame
from services.encoders.preprocess import RESAMPLE, Grey, Source

Floats = NDArray[np.float32]
MIDDLE = 127.5  # grey that torchxrayvision's scale calls 0


@dataclass(frozen=True, slots=True)
class MinMax:
    """Levels: darkest to 0, brightest to 255, what lies between rounded down: hi-ml-multimodal's ``remap_to_uint8``."""

    source: Source = "display"

    @property
    def name(self) -> str:
        return f"{self.source}-minmax-floor"

    def __call__(self, film: Film) -> Grey:
        values = (film.display if self.source == "display" else film.full).astype(np.float64)
        values -= values.min()
        values /= values.max() or 1.0
        values *= 255  # one step after the other, as there: what is rounded down depends on it
        return values.astype(np.uint8)


@dataclass(frozen=True, slots=True)
class LetterboxThenBicubic:
    """CheXzero: the longest edge to `edge` (Lanczos), black around it, then `size` by bicubic without antialiasing.

    Sides are rounded down and an odd margin goes to the bottom right, as its ``data_process.py`` does. The second step
    is torchvision's on tensors before 0.17 (its requirements pin 0.11.3), in floats: values may leave 0–255 a little.
    """

    edge: int
    size: int

    @property
    def name(self) -> str:
        return f"letterbox-{self.edge}-lanczos-then-{self.size}-bicubic-plain"

    def __call__(self, grey: Grey) -> Floats:
        height, width, top, left = self._placed(*grey.shape)
        picture = Image.fromarray(np.ascontiguousarray(grey)).resize((width, height), RESAMPLE["lanczos"])
        square = np.zeros((self.edge, self.edge), np.float32)
        square[top : top + height, left : left + width] = picture
        resize = bicubic(self.edge, self.size)
        return resize @ square @ resize.T

    def frame(self, height: int, width: int) -> Frame:
        tall, broad, top, left = self._placed(height, width)
        down, across = height / tall, width / broad
        return Frame(-top * down, -left * across, self.edge * down, self.edge * across)

    def _placed(self, height: int, width: int) -> tuple[int, int, int, int]:
        ratio = self.edge / max(height, width)
        tall, broad = (max(int(side * ratio), 1) for side in (height, width))
        return tall, broad, (self.edge - tall) // 2, (self.edge - broad) // 2


@dataclass(frozen=True, slots=True)
class CentreSquareSmooth:
    """torchxrayvision: the central square, then `size` by scikit-image's ``resize``, its default engine.

    That is a Gaussian blur of (factor - 1) / 2 pixels, then linear interpolation; outside the film is middle grey.
    """

    size: int

    @property
    def name(self) -> str:
        return f"centre-square-{self.size}-gaussian-linear-fill-{MIDDLE:g}"

    def __call__(self, grey: Grey) -> Floats:
        top, left, side = _centre(*grey.shape)
        square = grey[top : top + side, left : left + side].astype(np.float32)
        resize = smooth(side, self.size)
        out = resize @ (square - MIDDLE) @ resize.T + np.float32(MIDDLE)
        return np.where(out == MIDDLE, out, out.clip(square.min(), square.max()))

    def frame(self, height: int, width: int) -> Frame:
        top, left, side = _centre(height, width)
        return Frame(top, left, side, side)


def _centre(height: int, width: int) -> tuple[int, int, int]:
    side = min(height, width)
    return height // 2 - side // 2, width // 2 - side // 2, side


@lru_cache(maxsize=8)
def bicubic(before: int, after: int) -> Floats:
    """``(after, before)``: cubic convolution with a = -0.75, centres aligned, edges repeated, no antialiasing."""
    a = -0.75
    centres = (np.arange(after) + 0.5) * before / after - 0.5
    taps = np.floor(centres).astype(int)[:, None] + np.arange(-1, 3)
    far = np.abs(centres[:, None] - taps)
    near = ((a + 2) * far - (a + 3)) * far**2 + 1
    weights = np.where(far <= 1, near, ((a * far - 5 * a) * far + 8 * a) * far - 4 * a)
    return _matrix(before, np.clip(taps, 0, before - 1), weights)


@lru_cache(maxsize=16)
def smooth(before: int, after: int) -> Floats:
    """``(after, before)``: Gaussian of ``(before / after - 1) / 2`` pixels, cut off at four of them, then linear.

    What lies outside counts nothing.
    """
    sigma = max(0.0, (before / after - 1) / 2)
    reach = int(4 * sigma + 0.5)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2) if reach else np.ones(1)
    kernel = np.zeros(2 * reach + 2)
    centres = (np.arange(after) + 0.5) * before / after - 0.5
    first = np.floor(centres).astype(int)
    part = (centres - first)[:, None]
    kernel[:-1] = bell / bell.sum()
    weights = (1 - part) * kernel + part * np.roll(kernel, 1)  # of the pixels from `first - reach` on
    taps = first[:, None] + np.arange(-reach, reach + 2)
    inside = (taps >= 0) & (taps < before)
    return _matrix(before, taps.clip(0, before - 1), np.where(inside, weights, 0))


def _matrix(before: int, taps: NDArray[np.int_], weights: NDArray[np.float64]) -> Floats:
    out = np.zeros((len(taps), before))
    np.add.at(out, (np.arange(len(taps))[:, None], taps), weights)
    return out.astype(np.float32)
