"""Small pictures of films, for atlases and sheets."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from PIL import Image, UnidentifiedImageError

from services.analytics.progress import Progress
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import Facts, images

PICTURES = 96 * 2**20  # bytes of pictures in a snapshot, at most
_SIZES = ((112, 80), (64, 70), (48, 60))  # pixels and JPEG's quality: the first whose pictures fit
_TRIED = 200  # films whose pictures tell
_TOGETHER = 256


def thumbnails(
    facts: Facts, blobs: Blobs, ids: Sequence[str], progress: Progress, most: int = PICTURES
) -> list[bytes | None]:
    """A small JPEG of each film, made anew so that nothing but pixels comes along; None where there is none.

    Together they take at most `most` bytes: where films are many, pictures get smaller, and where they still do not
    fit, only some films, evenly over all, have one.
    """
    progress("pictures", 0, len(ids))
    digests = images.thumbnails(facts, ids)

    def make(image_id: str, size: tuple[int, int]) -> bytes | None:
        return _small(blobs, digests.get(image_id, ""), *size)

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        for size in _SIZES:
            tried = [len(p) for p in threads.map(partial(make, size=size), ids[:: max(1, len(ids) // _TRIED)]) if p]
            wanted = float(np.mean(tried)) * len(ids) if tried else 0.0
            if wanted <= 0.95 * most:
                break
        share = min(1.0, 0.95 * most / wanted) if wanted else 1.0
        rows = np.unique(np.linspace(0, len(ids) - 1, int(share * len(ids))).round().astype(int)) if len(ids) else []
        pictures: list[bytes | None] = [None] * len(ids)
        taken = 0
        for start in range(0, len(rows), _TOGETHER):
            part = rows[start : start + _TOGETHER]
            for row, picture in zip(part, threads.map(partial(make, size=size), [ids[r] for r in part]), strict=True):
                taken += len(picture or b"")
                if taken <= most:
                    pictures[row] = picture
            progress("pictures", start + len(part), len(rows))
    return pictures


def _small(blobs: Blobs, digest: str, edge: int, quality: int) -> bytes | None:
    try:
        picture = Image.open(io.BytesIO(blobs.get(digest))).convert("L")
    except (HilumError, UnidentifiedImageError, OSError):
        return None
    picture.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()
