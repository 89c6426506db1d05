"""A folder of films → the same films without what names people, under names that name nobody."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from services.core.errors import ErrorCode, HilumError
from services.core.ids import pseudonym
from services.ingest import gate
from services.ingest.deid import basic_profile
from services.ingest.header import read_header
from services.ingest.pictures import is_picture
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources.files import list_films
from services.ingest.strip import stripped


def give_away(
    source: Path, out: Path, secret: bytes, dataset: str = "", seen: Callable[[int, int], None] = lambda *_: None
) -> list[tuple[str, Reason]]:
    """Write every film of `source` to `out`; (name, why) of those that were not. ``seen(done, total)`` after each.

    Only films that an ingest would take are written: a report or a screenshot holds names where nobody looks for them.
    DICOM goes through `basic_profile` into ``SOPINSTANCEUID.dcm``, pictures lose their metadata. Raises HilumError.
    """
    films, refused, written = list_films(source), list[tuple[str, Reason]](), set[str]()
    out.mkdir(parents=True, exist_ok=True)
    for number, film in enumerate(films, 1):
        try:
            uid, ending, data = treated(film.read(), secret, dataset)
            name = f"{uid or pseudonym(secret, 'file', dataset, film.name)}.{ending}"
            if name in written:
                raise BadFilm(Reason.SAME_KEY_SAME_PIXELS)
            _write(out / name, data)
            written.add(name)
        except BadFilm as error:
            refused.append((film.name, error.reason))
        seen(number, len(films))
    return refused


def treated(data: bytes, secret: bytes, dataset: str, patient: str = "") -> tuple[str, str, bytes]:
    """One film without what names people: its SOPInstanceUID (empty of a picture), its ending, its bytes.

    patient: the archive's own name for the patient, in place of the keyed pseudonym. Raises BadFilm.
    """
    if is_picture(data):
        return "", "png" if data.startswith(b"\x89PNG") else "jpg", stripped(data)
    gate.check(read_header(data))
    try:
        film, written = basic_profile(dcmread(BytesIO(data)), secret, dataset), BytesIO()
        if patient:
            film.PatientID = film.PatientName = patient
        film.save_as(written, enforce_file_format=True)
        return str(film.SOPInstanceUID), "dcm", written.getvalue()
    except Exception:  # pydicom raises whatever a damaged file makes it raise
        raise BadFilm(Reason.BROKEN_HEADER) from None


def _write(path: Path, data: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(data)
    except FileExistsError:
        raise HilumError(
            ErrorCode.ALREADY_EXISTS, "a file of that name is there already; choose an empty folder"
        ) from None
