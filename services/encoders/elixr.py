"""What CXR-Foundation's two spaces are, wherever its network runs: here, or behind an endpoint."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from services.encoders.network import Checkpoint

PREPROCESSING = "display-min0-png8"
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Space:
    """output: the graph's name for its 32 vectors.  answer: the endpoint's.  pool: ``(32, D)`` → what is stored."""

    output: str
    answer: str
    pooling: str
    dim: int
    tokens: int
    text: bool
    pool: Callable[[Vectors], Vectors]


# Google's classifier notebook averages the 32 general vectors; its retrieval notebook takes the best of the 32
# contrastive ones for a text.
_SPACES = {
    "general": Space("img_emb", "general_img_emb", "qformer-mean", 768, 1, False, lambda v: v.mean(axis=0)),
    "contrastive": Space("all_contrastive_img_emb", "contrastive_img_emb", "qformer-all", 128, 32, True, lambda v: v),
}


def space(at: Checkpoint) -> Space:
    """The one that the option ``space`` names. Raises INVALID_ARGUMENT."""
    return _SPACES[at.option("space", *_SPACES)]


def png(grey: NDArray[np.uint8]) -> bytes:
    """``(H, W) uint8`` as a PNG of 8 bits whose darkest pixel is 0.

    Eight, though the authors' older library wrote 16: the graph reads eight, and of 16 bits that hold 0–255 it sees
    nothing but black.
    """
    file = io.BytesIO()
    Image.fromarray(grey - grey.min()).save(file, "PNG", compress_level=1)
    return file.getvalue()


def reads_no_words(spec: ModelSpec) -> HilumError:
    """Raised by the general space."""
    return HilumError(ErrorCode.FAILED_PRECONDITION, f"{spec.name} reads no text; its space `contrastive` does")
