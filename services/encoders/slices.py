"""Encoders of films at work on CT slices, kept apart from themselves at work on films.

``rad-dino-ct-lung`` is the encoder ``rad-dino`` shown the middle axial slice of a CT series through the lung window;
``rad-dino-ct`` the same through the window that the slice's own header asks for. Another name and another preprocessing
make another fingerprint, so vectors of slices and of films never share a collection. Such a name needs no installing:
whoever has the encoder has its slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.models import ModelSpec
from services.core.types import Film
from services.encoders.base import Encoder, Frame, Patches, Prepared, SeesPatches

LAYOUT = "ct"
HEADER = "header"
_MARK = "-ct"


class Window(NamedTuple):
    """In Hounsfield units."""

    centre: float
    width: float


# Customary settings for chest CT as textbooks and viewers have them; no standard fixes them.
WINDOWS = {
    "lung": Window(-600, 1500),
    "mediastinum": Window(50, 350),
    "soft-tissue": Window(40, 400),
    "bone": Window(400, 1800),
}


def window_of(text: str) -> str:
    """`text`, or the header's where it is empty. Raises INVALID_ARGUMENT naming the windows there are."""
    if (window := text or HEADER) not in (HEADER, *WINDOWS):
        raise invalid(f"window is one of {', '.join((HEADER, *WINDOWS))}")
    return window


def named(model: str, window: str) -> str:
    """The name under which `model` sees slices through `window`; a name that says so already stays."""
    wanted = f"{_MARK}-{window_of(window)}" if window and window != HEADER else _MARK
    if (known := split(model)) is None:
        return model + wanted
    if known[1] != window_of(window):
        raise invalid("the model named sees CT slices through another window than the one asked for; name one of them")
    return model


def split(name: str) -> tuple[str, str] | None:
    """``rad-dino-ct-lung`` → (``rad-dino``, ``lung``); None for a name of no such form."""
    for window in (HEADER, *WINDOWS):
        ending = _MARK if window == HEADER else f"{_MARK}-{window}"
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending), window
    return None


def seen_through(spec: ModelSpec, window: str) -> ModelSpec:
    """The specification of `spec`'s encoder at work on slices; a preset's numbers are part of it."""
    numbers = "{}{:+g}/{:g}".format(window, *WINDOWS[window]) if window in WINDOWS else window
    return replace(spec, name=named(spec.name, window), preprocessing=f"{LAYOUT}-middle-{numbers}+{spec.preprocessing}")


class SliceEncoder:
    """See ``services.encoders.base.Encoder`` and ``SeesPatches``."""

    def __init__(self, encoder: Encoder, window: str) -> None:
        self._encoder, self._window = encoder, window
        self._spec = seen_through(encoder.spec, window)

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    def layout(self) -> str:
        """How files are decoded for this encoder: as slices through its window."""
        return f"{LAYOUT}:{self._window}"

    def preprocess(self, film: Film) -> Prepared:
        return self._encoder.preprocess(film)

    def frame(self, height: int, width: int) -> Frame:
        return self._seeing.frame(height, width)

    def encode_images(self, batch: Sequence[Prepared]) -> NDArray[np.float32]:
        return self._encoder.encode_images(batch)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encoder.encode_texts(texts)

    def encode_patches(self, batch: Sequence[Prepared]) -> Patches:
        return self._seeing.encode_patches(batch)

    @property
    def _seeing(self) -> SeesPatches:
        if isinstance(self._encoder, SeesPatches):
            return self._encoder
        raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{self._spec.name} has no local vectors; choose another model")


def layout_of(encoder: Encoder) -> str:
    """How files are decoded for an encoder: ``auto`` for films, ``ct:WINDOW`` for slices."""
    return encoder.layout if isinstance(encoder, SliceEncoder) else "auto"
