"""Pixels as an encoder's authors prepare them: shortest edge, centre crop, mean and deviation.

Numpy and Pillow only, and picklable, so that decode workers can run it without importing torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.types import Film

Source = Literal["display", "full"]
Rounding = Literal["round", "floor"]
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR,
            "lanczos": Image.Resampling.LANCZOS, "nearest": Image.Resampling.NEAREST}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShortestEdgeCrop:
    """Resize the shortest edge to ``edge`` pixels, crop ``crop`` x ``crop`` from the centre, normalise.

    source: the film as displayed, or its full range with no window.  rounding: where an odd margin goes; torchvision
    rounds half to even, Hugging Face floors.  The result of equal settings is equal to theirs on 8-bit grey films.
    """

    edge: int
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resample: str = "bicubic"
    source: Source = "display"
    rounding: Rounding = "round"

    @property
    def name(self) -> str:
        """Every number that decides a pixel, for the fingerprint."""
        mean, std = (",".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        return (
            f"{self.source}-shortest-{self.edge}-{self.resample}-crop-{self.crop}-{self.rounding}-mean{mean}-std{std}"
        )

    def __call__(self, film: Film) -> NDArray[np.float32]:
        """Film to ``(3, crop, crop) float32``."""
        grey = film.display if self.source == "display" else np.round(film.full / 257).astype(np.uint8)
        height, width = grey.shape
        # The long edge is truncated, as both libraries do.
        if width <= height:
            size = (self.edge, int(self.edge * height / width))
        else:
            size = (int(self.edge * width / height), self.edge)
        picture = Image.fromarray(np.ascontiguousarray(grey)).resize(size, _FILTERS[self.resample])
        pixels = self._cropped(np.asarray(picture)).astype(np.float32) / np.float32(255)
        mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.mean, self.std))
        return (pixels[None] - mean) / std

    def _cropped(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The central square; a crop larger than the picture is filled with black around it."""
        short = [max(self.crop - side, 0) for side in pixels.shape]
        if any(short):
            pixels = np.pad(pixels, [(pad // 2, pad - pad // 2) for pad in short])
        top, left = ((side - self.crop) / 2 for side in pixels.shape)
        settle = round if self.rounding == "round" else int
        row, column = settle(top), settle(left)
        return pixels[row : row + self.crop, column : column + self.crop]
