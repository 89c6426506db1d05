"""The two small encoders that ship with Hilum. They know phantoms only: never for clinical use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from services.encoders.base import Encoder

CHECKPOINTS = Path(__file__).parent / "checkpoints"
CLIP, DINO = "hilum-cxr-clip", "hilum-cxr-dino"
REVISION = "1"


def clip() -> Encoder:
    """The image-text encoder: 256 numbers, films and words in one space."""
    from services.encoders.open_clip_local import OpenClipEncoder

    return OpenClipEncoder(CHECKPOINTS / CLIP, CLIP, REVISION)


def dino() -> Encoder:
    """The image-only encoder: 160 numbers from the CLS token."""
    from services.encoders.hf_vision import Dinov2Encoder

    return Dinov2Encoder(CHECKPOINTS / DINO, DINO, REVISION)


LOADERS: Mapping[str, Callable[[], Encoder]] = {CLIP: clip, DINO: dino}
