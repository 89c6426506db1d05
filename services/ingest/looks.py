"""What identifies and shows a film without its file: hashes and a small picture."""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
from PIL import Image

from services.core.types import Film

THUMBNAIL_SIDE = 512  # large enough to look at, 28 KB a film; pictures of full size stay where they are


def pixel_sha256(film: Film) -> str:
    """sha256 of what encoders see: the size, the display and the full range. Equal only for the same film shown the
    same way, so a header that now says MONOCHROME1 counts as other pixels."""
    digest = hashlib.sha256(f"{film.display.shape}".encode())
    digest.update(np.ascontiguousarray(film.display))
    digest.update(np.ascontiguousarray(film.full))
    return digest.hexdigest()


def phash(film: Film) -> str:
    """64-bit difference hash, 16 hex digits: near-duplicates differ in few bits."""
    small = np.asarray(_image(film, 9 * 8).resize((9, 8), Image.Resampling.BILINEAR), dtype=np.int16)
    return f"{int(''.join('1' if bit else '0' for bit in (small[:, 1:] > small[:, :-1]).ravel()), 2):016x}"


def thumbnail(film: Film) -> bytes:
    """WebP, at most 512 pixels on its longer side, no metadata."""
    out = BytesIO()
    image = _image(film, THUMBNAIL_SIDE)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    image.save(out, "WEBP", quality=80, method=0)
    return out.getvalue()


def _image(film: Film, side: int) -> Image.Image:
    """The display shrunk by a whole factor to no less than twice `side`: quick, and sharp enough to resize from."""
    image = Image.fromarray(film.display)
    factor = max(1, min(image.size) // (2 * side))
    return image.reduce(factor) if factor > 1 else image
