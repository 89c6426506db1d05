"""PNG and JPEG → `Film`. EXIF is ignored: orientation tags of re-encoded films are wrong more often than right."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, PngImagePlugin

from services.core.types import Film
from services.ingest.gate import check_size
from services.ingest.reasons import BadFilm, Reason

Image.MAX_IMAGE_PIXELS = None  # `check_size` decides, before anything is decoded
PngImagePlugin.MAX_TEXT_MEMORY = 2**20
_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")


def is_picture(data: bytes) -> bool:
    """Does it start like a PNG or a JPEG?"""
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))


def film_from_picture(data: bytes) -> Film:
    """Decode a PNG or JPEG of any depth and mode.

    8-bit pictures are shown as they are. 16-bit ones are stretched from minimum to maximum, as many archives keep 10 or
    12 bits in them. Colour (RGBA exports of grey films) becomes luminance. Raises BadFilm.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(BytesIO(data), formats=("PNG", "JPEG"))
        except MemoryError:
            raise
        except Exception:
            raise BadFilm(Reason.BROKEN_HEADER) from None
        check_size(image.height, image.width)
        if getattr(image, "n_frames", 1) != 1:
            raise BadFilm(Reason.MULTIFRAME)
        try:
            image.load()
        except MemoryError:
            raise
        except Exception as error:
            raise BadFilm(Reason.TRUNCATED if "truncated" in str(error) else Reason.CORRUPT_PIXELS) from None
    return _deep(image) if image.mode in _DEEP else _shallow(image)


def _deep(image: Image.Image) -> Film:
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all() or high <= low:
        raise BadFilm(Reason.CONSTANT)
    unit = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return Film(np.rint(unit * 255).astype(np.uint8), np.rint(unit * 65_535).astype(np.uint16))


def _shallow(image: Image.Image) -> Film:
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    display = np.asarray(image if image.mode == "L" else image.convert("L"))
    if display.min() == display.max():
        raise BadFilm(Reason.CONSTANT)
    return Film(display, display.astype(np.uint16) * np.uint16(257))
