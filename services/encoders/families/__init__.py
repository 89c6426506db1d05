"""One module per family of encoders: each turns a checkpoint folder into an encoder, exactly as its authors use it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from services.core.errors import invalid
from services.encoders.base import Encoder

if TYPE_CHECKING:
    from services.encoders.network import Checkpoint

# family → the module of this package whose `load(at: Checkpoint) -> Encoder` reads it. Imported when first needed.
FAMILIES: Mapping[str, str] = {
    "aligned": "aligned",
    "ark": "ark",
    "biovil-t": "biovil_t",
    "chexagent": "chexagent",
    "chexzero": "chexzero",
    "clip": "clip_hf",
    "cxr-clip": "cxr_clip",
    "cxr-foundation": "cxr_foundation",
    "cxr-foundation-endpoint": "vertex",
    "dinov2": "dinov2",
    "dinov3": "dinov3",
    "eva-x": "eva_x",
    "hf": "hf",
    "medgemma": "medgemma",
    "medimageinsight": "medimageinsight",
    "medimageinsight-endpoint": "azure",
    "open-clip": "open_clip",
    "siglip": "siglip",
    "timm": "timm",
    "torchxrayvision": "xrv",
    "vit": "vit",
}

# Those that send films to somebody else's machine: used only where they are named, never by default.
REMOTE = frozenset({"cxr-foundation-endpoint", "medimageinsight-endpoint"})

# Those that turn the vectors of another encoder into theirs: filled from what is stored, never encoded by default.
DERIVED = frozenset({"aligned"})


def load(family: str, at: Checkpoint) -> Encoder:
    """The encoder of a checkpoint. Raises INVALID_ARGUMENT, and FAILED_PRECONDITION when it cannot be used."""
    if family not in FAMILIES:
        raise invalid(f"there is no such family of encoders; there are: {', '.join(sorted(FAMILIES))}")
    module = import_module(f"services.encoders.families.{FAMILIES[family]}")
    return module.load(at)
