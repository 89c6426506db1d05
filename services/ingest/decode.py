"""One film's bytes → everything ingest wants to know of it. Runs in a decode child; pure."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from services.core.types import Film
from services.ingest import gate, looks
from services.ingest.header import is_dicom, read_header, read_with_pixels
from services.ingest.pictures import film_from_picture, is_picture
from services.ingest.pixels import expected_bytes, film_from_dicom
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources.dicom import sop_uid, stated_in_header
from services.ingest.stated import Stated


@dataclass(frozen=True, slots=True)
class Decoded:
    """A film with what its header states. `sop_uid` is None for pictures and for DICOM without one."""

    film: Film
    stated: Stated
    sop_uid: str | None
    pixel_sha256: str
    phash: str
    thumbnail: bytes


def decode(data: bytes, layout: str = "auto") -> Decoded:
    """Decode DICOM, PNG or JPEG by content, whatever the file is called; `layout` ``dicom`` or ``files`` narrows it.

    Raises BadFilm.
    """
    if not data:
        raise BadFilm(Reason.EMPTY)
    if is_picture(data) and layout != "dicom":
        film, stated, uid = film_from_picture(data), Stated(), None
    elif is_dicom(data):
        film, elements = _dicom(data)
        stated, uid = stated_in_header(elements), sop_uid(elements)
    else:
        raise BadFilm(Reason.NOT_AN_IMAGE)
    return Decoded(film, stated, uid, looks.pixel_sha256(film), looks.phash(film), looks.thumbnail(film))


def _dicom(data: bytes) -> tuple[Film, Dataset]:
    header = read_header(data)
    try:
        gate.check(header)
    except (BadFilm, MemoryError):
        raise
    except Exception:  # an element whose value cannot be read at all
        raise BadFilm(Reason.BROKEN_HEADER) from None
    try:
        film = film_from_dicom(read_with_pixels(header, expected_bytes(header.elements)))
    except (BadFilm, MemoryError):
        raise
    except Exception:
        raise BadFilm(Reason.CORRUPT_PIXELS) from None
    return film, header.elements
