"""One film's bytes → everything ingest wants to know of it. Runs in a decode child; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from pydicom.dataset import Dataset

from services.core.types import Film
from services.encoders.slices import LAYOUT as CT
from services.ingest import gate, looks, regions, words
from services.ingest.header import Header, is_dicom, read_header, read_with_pixels
from services.ingest.hounsfield import film_from_slice
from services.ingest.pictures import film_from_picture, is_picture
from services.ingest.pixels import expected_bytes, film_from_dicom
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources.dicom import series_uid, sop_uid, stated_in_header
from services.ingest.stated import Stated

T = TypeVar("T")

WITH_WRITING = "+writing"  # behind a layout


@dataclass(frozen=True, slots=True)
class Decoded:
    """A film with what its header states. `sop_uid` is None for pictures and for DICOM without one, and the series' for
    CT slices: a series is one image."""

    film: Film
    stated: Stated
    sop_uid: str | None
    pixel_sha256: str
    phash: str
    thumbnail: bytes


def decode(data: bytes, given: str = "auto") -> Decoded:
    """Decode DICOM, PNG or JPEG by content, whatever the file is called; `given` ``dicom`` or ``files`` narrows it.

    ``ct:WINDOW`` takes CT slices, and nothing else, through that window. ``WITH_WRITING`` behind it takes films, too,
    whose header says that there is writing in them. Raises BadFilm.
    """
    layout, check = given.removesuffix(WITH_WRITING), gate.check
    if layout != given:
        check = gate.check_with_writing
    if not data:
        raise BadFilm(Reason.EMPTY)
    if layout.startswith(f"{CT}:"):
        return _slice(data, layout.removeprefix(f"{CT}:"))
    if is_picture(data) and layout != "dicom":
        film, stated, uid = film_from_picture(data), Stated(), None
    elif is_dicom(data):
        film, elements = _dicom(data, check, _film)
        stated, uid = stated_in_header(elements), sop_uid(elements)
    else:
        raise BadFilm(Reason.NOT_AN_IMAGE)
    if stated.burned_in != "yes" and words.suspected(film):
        stated = replace(stated, burned_in="suspected")
    return Decoded(film, stated, uid, looks.pixel_sha256(film), looks.phash(film), looks.thumbnail(film))


def _film(elements: Dataset) -> Film:
    return regions.blanked(film_from_dicom(elements), elements)


def _slice(data: bytes, window: str) -> Decoded:
    (film, digest), elements = _dicom(data, gate.check_slice, lambda elements: film_from_slice(elements, window))
    uid = series_uid(elements) or sop_uid(elements)
    return Decoded(film, stated_in_header(elements), uid, digest, looks.phash(film), looks.thumbnail(film))


def _dicom(data: bytes, check: Callable[[Header], None], pixels: Callable[[Dataset], T]) -> tuple[T, Dataset]:
    header = read_header(data)
    try:
        check(header)
    except (BadFilm, MemoryError):
        raise
    except Exception:  # an element whose value cannot be read at all
        raise BadFilm(Reason.BROKEN_HEADER) from None
    try:
        film = pixels(read_with_pixels(header, expected_bytes(header.elements)))
    except (BadFilm, MemoryError):
        raise
    except Exception:
        raise BadFilm(Reason.CORRUPT_PIXELS) from None
    return film, header.elements
