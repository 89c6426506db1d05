"""The study's variants of a film, made of the picture that was kept of it, and their vectors by the Encode RPC.

Of a film the archive keeps a picture of at most 512 pixels, not its file. So *original* here is that picture, too; how
far its vector is from the stored one is told beside the figures.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, UnidentifiedImageError

from services.analytics import encoding, vectors
from services.analytics.progress import Progress
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import Facts, images
from services.core.models import ModelSpec
from services.transport.encode_client import EncodeClient

ORIGINAL = "original"
BRIGHT, DARK, CONTRAST, ANGLE = 1.3, 0.7, 1.5, 45  # the study names its variants, not their strength: ours
VARIANTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    ORIGINAL: lambda film: film,
    "bright": lambda film: ImageEnhance.Brightness(film).enhance(BRIGHT),
    "dark": lambda film: ImageEnhance.Brightness(film).enhance(DARK),
    "contrast": lambda film: ImageEnhance.Contrast(film).enhance(CONTRAST),  # about the film's mean
    "rotated +45°": lambda film: film.rotate(ANGLE, Image.Resampling.BILINEAR),  # to the left, corners black
    "rotated −45°": lambda film: film.rotate(-ANGLE, Image.Resampling.BILINEAR),
}
_FILMS = 8  # in one call, each in all its variants


@dataclass(frozen=True)
class Varied:
    """units: (V, n, D) float32 in the order of VARIANTS, L2-normalised.  there: (n,) films that have them all.
    likeness: (n,) cosine of the kept picture's vector with the stored one, NaN without."""

    units: NDArray[np.float32]
    there: NDArray[np.bool_]
    likeness: NDArray[np.float64]


def encode(
    client: EncodeClient, spec: ModelSpec, facts: Facts, blobs: Blobs, ids: Sequence[str],
    stored: NDArray[np.float32], progress: Progress,
) -> Varied:  # fmt: skip
    """Every variant of the films `ids`, whose stored vectors are `stored` (n, D).

    A film without picture, or one that the encoder refuses, is left out. Raises what the encoder says of the model.
    """
    digests = images.thumbnails(facts, ids)
    units = np.zeros((len(VARIANTS), len(ids), spec.dim), dtype=np.float32)
    there = np.zeros(len(ids), dtype=bool)
    stage = f"augmented films of {spec.name}"
    progress(stage, 0, len(ids))
    for start in range(0, len(ids), _FILMS):
        rows, batch = list[int](), list[bytes]()
        for row in range(start, min(start + _FILMS, len(ids))):
            made = variants(blobs, digests.get(ids[row], ""))
            if made:
                rows.append(row)
                batch += made
        answers = encoding.films(client, spec, batch) if batch else []
        for place, row in enumerate(rows):
            mine = answers[place * len(VARIANTS) : (place + 1) * len(VARIANTS)]
            good = [one for one in mine if not isinstance(one, HilumError)]
            if len(good) == len(VARIANTS):
                units[:, row] = vectors.pooled(np.stack(good))
                there[row] = True
        progress(stage, min(start + _FILMS, len(ids)), len(ids))
    likeness = np.where(there, (units[0].astype(np.float64) * stored).sum(axis=1), np.nan)
    return Varied(units, there, likeness)


def variants(blobs: Blobs, digest: str) -> list[bytes]:
    """A film's picture in every variant, as PNG; none where there is no picture."""
    try:
        film = Image.open(io.BytesIO(blobs.get(digest))).convert("L")
    except (HilumError, UnidentifiedImageError, OSError):
        return []
    made = []
    for vary in VARIANTS.values():
        out = io.BytesIO()
        vary(film).save(out, "PNG", compress_level=1)
        made.append(out.getvalue())
    return made
