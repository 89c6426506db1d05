"""The pictures that the archive keeps, as JPEG: at most 512 pixels on the longer side, as the film asks to be shown.

They are to be looked at, not to be measured or trained on at full size: originals are found again by
``hilum cohort export NAME --format dicom --source FOLDER``.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from PIL import Image

from services.analytics.cohort.export import csv_file, handing_on
from services.analytics.cohort.export.part import Part
from services.analytics.cohort.export.table import Content
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images

FOLDER = "pictures"
QUALITY = 95
_READ = 500
NO_PICTURE = "the archive keeps no picture"
DAMAGED = "the kept picture is damaged"


class Pictures:
    """right: see `handing_on.reasons`."""

    def __init__(self, content: Content, facts: Facts, blobs: Blobs, right: str) -> None:
        self._facts, self._blobs = facts, blobs
        self.ids: list[str] = content.frame.ids
        self.why = handing_on.reasons(content, right)

    @property
    def left_out(self) -> Counter[str]:
        """Reason → films."""
        return Counter(why for why in self.why if why)

    def parts(self) -> Iterator[Part]:
        """One picture after another, by id. Read in blocks: the archive may have millions."""
        for start in range(0, len(self.ids), _READ):
            block = [i for i in range(start, min(start + _READ, len(self.ids))) if not self.why[i]]
            digests = images.thumbnails(self._facts, [self.ids[i] for i in block])
            for i in block:
                digest = digests.get(self.ids[i])
                if digest is None or not self._blobs.holds(digest):
                    self.why[i] = NO_PICTURE
                else:
                    yield Part(f"{FOLDER}/{self.ids[i]}.jpg", "", partial(self._write, digest), each=True)

    def lose(self, name: str) -> None:
        """The picture of this name could not be made."""
        self.why[bisect_left(self.ids, name.removeprefix(f"{FOLDER}/")[:-4])] = DAMAGED

    def index(self) -> Part:
        """pictures.csv; made last, when it is known which there are."""
        return Part(f"{FOLDER}.csv", "which film is which picture, and why one has none", self._index)

    def _write(self, digest: str, file: BinaryIO) -> None:
        file.write(jpeg(self._blobs.get(digest)))

    def _index(self, file: BinaryIO) -> None:
        rows = (
            (image_id, "" if why else f"{FOLDER}/{image_id}.jpg", why)
            for image_id, why in zip(self.ids, self.why, strict=True)
        )
        csv_file.write(file, ("image_id", "file", "left_out"), rows)


def jpeg(kept: bytes) -> bytes:
    """The kept picture as greyscale JPEG, without a word beside its pixels. Raises INTERNAL for a damaged one."""
    out = io.BytesIO()
    try:
        with Image.open(io.BytesIO(kept)) as picture:
            picture.convert("L").save(out, "JPEG", quality=QUALITY)
    except (OSError, ValueError):
        raise HilumError(ErrorCode.INTERNAL, "a kept picture is damaged; ingest the film again") from None
    return out.getvalue()
