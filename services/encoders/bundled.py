"""The two small encoders that ship with Hilum. They know phantoms only: never for clinical use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from services.encoders.base import Encoder

CHECKPOINTS = Path(__file__).parent / "checkpoints"
CLIP, DINO = "hilum-cxr-clip", "hilum-cxr-dino"
REVISION = "1"


def _load(name: str, family: str) -> Encoder:
    from services.encoders.families import load
    from services.encoders.network import Checkpoint

    return load(family, Checkpoint(CHECKPOINTS / name, name, REVISION))


LOADERS: Mapping[str, Callable[[], Encoder]] = {
    CLIP: partial(_load, CLIP, "open-clip"),  # films and words in one space of 256 numbers
    DINO: partial(_load, DINO, "dinov2"),  # films only: 160 numbers from the CLS token
}
