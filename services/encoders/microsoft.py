"""How Microsoft's own clients of MedImageInsight prepare a film. They differ from the model card and from each other.

Facts: github.com/microsoft/healthcareai-examples, ``healthcareai_toolkit`` (medimageinsight.py, manip.py, io.py) and
the MCP server's ``mi2_client.py``, read in 2026.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from services.core.types import Film
from services.encoders.base import Frame
from services.encoders.preprocess import Grey, Levels, Recipe, Squash


def recipe(variant: str, size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Recipe:
    """``card``, ``toolkit`` or ``mcp``, ending in a square of `size`. Raises KeyError for another name."""
    levels, fit = {
        "card": (Levels("display"), Squash(size, "bicubic")),
        "toolkit": (ToolkitLevels(), SplineSquash(size)),
        "mcp": (Levels("display"), Jpeg(size)),
    }[variant]
    return Recipe(levels, fit, mean, std)


@dataclass(frozen=True, slots=True)
class ToolkitLevels(Levels):
    """Modality values between percentiles 1 and 99, truncated to 8 bits; pictures of 8 bits stay as they are."""

    @property
    def name(self) -> str:
        return "toolkit-full-p1-99-floor"

    def __call__(self, film: Film) -> Grey:
        if np.array_equal(film.full, film.display.astype(np.uint16) * 257):
            return film.display
        low, high = np.percentile(film.full, (1, 99))
        return (np.clip((film.full - low) / max(high - low, 1.0), 0, 1) * 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class SplineSquash:
    """Cubic splines over a Gaussian of half the reduction, beyond the edges black: scikit-image's ``resize(order=3,
    mode="constant", anti_aliasing=True)``, then truncated to 8 bits."""

    size: int

    @property
    def name(self) -> str:
        return f"squash-{self.size}-spline3-gauss-floor"

    def __call__(self, grey: Grey) -> Grey:
        from scipy import ndimage

        shrink = np.divide(grey.shape, self.size)
        smooth = ndimage.gaussian_filter(grey.astype(float), np.maximum(0, (shrink - 1) / 2), mode="constant")
        fitted = ndimage.zoom(smooth, 1 / shrink, order=3, mode="grid-constant", grid_mode=True)
        return np.clip(fitted, grey.min(), grey.max()).astype(np.uint8)

    def frame(self, height: int, width: int) -> Frame:
        return Frame(0, 0, height, width)


@dataclass(frozen=True, slots=True)
class Jpeg:
    """512 x 512 bicubic, stretched between percentiles 5 and 95, through a JPEG of quality 75, then `size` bicubic."""

    size: int

    @property
    def name(self) -> str:
        return f"squash-512-bicubic-p5-95-floor-jpeg75-squash-{self.size}-bicubic"

    def __call__(self, grey: Grey) -> Grey:
        with Image.open(io.BytesIO(jpeg(grey))) as picture:
            return Squash(self.size)(np.asarray(picture.convert("L")))

    def frame(self, height: int, width: int) -> Frame:
        return Frame(0, 0, height, width)


def jpeg(grey: Grey) -> bytes:
    """The file that Microsoft's MCP server sends to an endpoint."""
    values = Squash(512)(grey).astype(np.float32)
    # It asks for percentiles of three equal channels, which interpolates a little differently.
    low, high = np.percentile(np.repeat(values, 3), (5, 95))
    stretched = np.clip((values - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(stretched).convert("RGB").save(file, "JPEG", quality=75)
    return file.getvalue()
