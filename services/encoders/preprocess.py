"""Pixels as an encoder's authors prepare them: which grey values, fitted how, normalised by what.

Numpy and Pillow only, so that preparing a film needs no torch. A recipe's name carries every number that decides a
pixel; it is part of the encoder's fingerprint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.types import Film
from services.encoders.base import Frame, Prepared

Source = Literal["display", "full"]
Rounding = Literal["round", "floor"]
Grey = NDArray[np.uint8]
RESAMPLE = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR,
            "lanczos": Image.Resampling.LANCZOS, "nearest": Image.Resampling.NEAREST,
            "box": Image.Resampling.BOX, "hamming": Image.Resampling.HAMMING}  # fmt: skip


class Fit(Protocol):
    """Any film to the square that the network takes."""

    @property
    def name(self) -> str: ...

    def __call__(self, grey: Grey) -> Prepared:
        """``(H, W) uint8`` → ``(S, S)``, values 0–255."""
        ...

    def frame(self, height: int, width: int) -> Frame: ...


@dataclass(frozen=True, slots=True)
class Levels:
    """Which grey values of a film become 0–255.

    source: the film as displayed, or its full range with no window.
    percentiles: stretch what lies between these two of them, clipping the rest.
    """

    source: Source = "display"
    percentiles: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        return self.source + ("-p{:g}-{:g}".format(*self.percentiles) if self.percentiles else "")

    def __call__(self, film: Film) -> Grey:
        if self.percentiles:
            values = film.display if self.source == "display" else film.full
            low, high = np.percentile(values, self.percentiles)
            stretched = (values.astype(np.float32) - low) / max(float(high - low), 1.0)
            return np.round(np.clip(stretched, 0, 1) * 255).astype(np.uint8)
        return film.display if self.source == "display" else np.round(film.full / 257).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Squash:
    """Both edges to `size`, whatever the film's shape. Antialiased, as Pillow resizes.

    rounded: back to whole levels, as pictures of 8 bits are resized; otherwise ``float32``.
    """

    size: int
    resample: str = "bicubic"
    rounded: bool = True

    @property
    def name(self) -> str:
        return f"squash-{self.size}-{self.resample}" + ("" if self.rounded else "-float")

    def __call__(self, grey: Grey) -> Prepared:
        picture = Image.fromarray(np.ascontiguousarray(grey if self.rounded else grey.astype(np.float32)))
        return np.asarray(picture.resize((self.size, self.size), RESAMPLE[self.resample]))

    def frame(self, height: int, width: int) -> Frame:
        return Frame(0, 0, height, width)


@dataclass(frozen=True, slots=True)
class SquashCrop:
    """Both edges to `edge`, then `crop` x `crop` from the centre; an odd margin rounds half to even."""

    edge: int
    crop: int
    resample: str = "bicubic"

    @property
    def name(self) -> str:
        return f"squash-{self.edge}-{self.resample}-crop-{self.crop}"

    def __call__(self, grey: Grey) -> Grey:
        picture = Image.fromarray(np.ascontiguousarray(grey)).resize((self.edge, self.edge), RESAMPLE[self.resample])
        start = round((self.edge - self.crop) / 2)
        return np.asarray(picture)[start : start + self.crop, start : start + self.crop]

    def frame(self, height: int, width: int) -> Frame:
        margin, part = (self.edge - self.crop) / 2 / self.edge, self.crop / self.edge
        return Frame(margin * height, margin * width, part * height, part * width)


@dataclass(frozen=True, slots=True)
class ShortestEdgeCrop:
    """The shortest edge to `edge` pixels, then `crop` x `crop` from the centre.

    rounding: where an odd margin goes; torchvision rounds half to even, Hugging Face floors.
    The result of equal settings is equal to theirs on 8-bit grey films.
    """

    edge: int
    crop: int
    resample: str = "bicubic"
    rounding: Rounding = "round"

    @property
    def name(self) -> str:
        return f"shortest-{self.edge}-{self.resample}-crop-{self.crop}-{self.rounding}"

    def __call__(self, grey: Grey) -> Grey:
        height, width = self._resized(*grey.shape)
        picture = Image.fromarray(np.ascontiguousarray(grey)).resize((width, height), RESAMPLE[self.resample])
        return self._cropped(np.asarray(picture))

    def frame(self, height: int, width: int) -> Frame:
        tall, broad = self._resized(height, width)
        down, across = height / tall, width / broad
        return Frame((tall - self.crop) / 2 * down, (broad - self.crop) / 2 * across,
                     self.crop * down, self.crop * across)  # fmt: skip

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """The long edge is truncated, as both libraries do."""
        if width <= height:
            return int(self.edge * height / width), self.edge
        return self.edge, int(self.edge * width / height)

    def _cropped(self, pixels: Grey) -> Grey:
        """The central square; a crop larger than the picture is filled with black around it."""
        short = [max(self.crop - side, 0) for side in pixels.shape]
        if any(short):
            pixels = np.pad(pixels, [(pad // 2, pad - pad // 2) for pad in short])
        top, left = ((side - self.crop) / 2 for side in pixels.shape)
        settle = round if self.rounding == "round" else int
        row, column = settle(top), settle(left)
        return pixels[row : row + self.crop, column : column + self.crop]


@dataclass(frozen=True, slots=True)
class LongestEdgePad:
    """The longest edge to `edge` pixels, grey `fill` around what is missing, then `crop` x `crop` from the centre.

    timm's and open_clip's way to keep the whole film: both edges are rounded, an odd margin goes to the bottom right.
    """

    edge: int
    crop: int
    resample: str = "bicubic"
    fill: int = 0

    @property
    def name(self) -> str:
        return f"longest-{self.edge}-{self.resample}-pad-{self.crop}-fill-{self.fill}"

    def __call__(self, grey: Grey) -> Grey:
        height, width = self._resized(*grey.shape)
        picture = Image.fromarray(np.ascontiguousarray(grey)).resize((width, height), RESAMPLE[self.resample])
        short = [max(self.crop - side, 0) for side in (height, width)]
        pixels = np.pad(np.asarray(picture), [(n // 2, n - n // 2) for n in short], constant_values=self.fill)
        row, column = (round((side - self.crop) / 2) for side in pixels.shape)
        return pixels[row : row + self.crop, column : column + self.crop]

    def frame(self, height: int, width: int) -> Frame:
        tall, broad = self._resized(height, width)
        down, across = height / tall, width / broad
        return Frame((tall - self.crop) / 2 * down, (broad - self.crop) / 2 * across,
                     self.crop * down, self.crop * across)  # fmt: skip

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        ratio = max(height, width) / self.edge
        return max(round(height / ratio), 1), max(round(width / ratio), 1)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Levels, then fit, then ``(x / 255 - mean) / std`` per channel, as many channels as `mean` has numbers."""

    levels: Levels
    fit: Fit
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @property
    def name(self) -> str:
        """Every number that decides a pixel, for the fingerprint."""
        mean, std = (",".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        return f"{self.levels.name}-{self.fit.name}-mean{mean}-std{std}"

    def __call__(self, film: Film) -> Prepared:
        """Film to ``(S, S)`` grey, 0–255, not yet normalised: a twelfth of what the network takes."""
        return self.fit(self.levels(film))

    def normalised(self, prepared: Prepared) -> NDArray[np.float32]:
        """``(..., S, S)`` to ``(..., C, S, S) float32``: what the network takes."""
        pixels = np.asarray(prepared, np.float32)[..., None, :, :] / np.float32(255)
        mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.mean, self.std))
        return (pixels - mean) / std
