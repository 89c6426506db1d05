"""A map as a picture over its film: colours that grow evenly lighter, for every kind of colour vision.

The colours are ten of "inferno" (S. van der Walt and N. Smith, 2015, CC0), joined by straight lines. A weak place is
transparent, so that the film stays to be seen where the map says nothing.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_INFERNO = bytes.fromhex("000004 1b0c42 4b0c6b 781c6d a52c60 cf4446 ed6925 fb9a06 f7d03c fcffa4")
_OPAQUE = 0.75  # at the strongest place
_FAINT = 0.1  # below it nothing is drawn: every map has some of it everywhere

Grey = NDArray[np.uint8]


def layer(strength: NDArray[np.float32]) -> NDArray[np.uint8]:
    """``(H, W)`` 0..1 → ``(H, W, 4) uint8``, red, green, blue and opacity."""
    ten = np.frombuffer(_INFERNO, np.uint8).reshape(10, 3)
    places = np.linspace(0, 1, 10)
    colours = [np.interp(strength, places, ten[:, channel]) for channel in range(3)]
    opacity = np.clip((strength - _FAINT) / (1 - _FAINT), 0, 1) * _OPAQUE * 255
    return np.rint(np.stack([*colours, opacity], -1)).astype(np.uint8)


def over(film: Grey, coloured: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The film ``(H, W)`` under a layer of the same size: ``(H, W, 3) uint8``."""
    opacity = coloured[..., 3:].astype(np.float32) / 255
    return np.rint(film[..., None] * (1 - opacity) + coloured[..., :3] * opacity).astype(np.uint8)


def png(picture: NDArray[np.uint8]) -> bytes:
    """A PNG without metadata."""
    out = BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()
