"""What an ingest would do with one file, and why, without doing it: for ``hilum ingest --explain``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from services.core.labels import LabelState
from services.ingest.decode_pool import DecodePool
from services.ingest.header import Header, is_dicom, read_header
from services.ingest.pictures import is_picture
from services.ingest.reasons import BadFilm
from services.ingest.sources.files import Listed
from services.ingest.sources.source import Source
from services.ingest.stated import Stated

_HEADER = (
    "SOPClassUID", "Modality", "BodyPartExamined", "ViewPosition", "PresentationIntentType", "BurnedInAnnotation",
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored",
    "PixelRepresentation", "PixelPaddingValue", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth",
    "VOILUTFunction",
)  # fmt: skip
_IDS = ("patient_id", "study_id", "series_id", "accession_id", "institution")


@dataclass(frozen=True, slots=True)
class Verdict:
    """accepted: would it be stored?  reason, message: why not.  kind: DICOM with its transfer syntax, picture or other.

    header: what decided, as the header has it.  facts: what would enter the archive; ids only as *stated*, never
    themselves.  picture: the film as encoders see it, JPEG; empty when it cannot be decoded.
    """

    accepted: bool
    reason: str
    message: str
    kind: str
    header: dict[str, str]
    facts: dict[str, str]
    picture: bytes


def explain(path: Path, pool: DecodePool, layout: str = "auto", source: Source | None = None) -> Verdict:
    """The verdict on one file. source: the dataset that it belongs to, whose tables may speak of it."""
    listed = Listed(path.parent, path.name)
    kind, header = "neither DICOM nor a picture", dict[str, str]()
    try:
        data = listed.read()
        if is_picture(data):
            kind = "picture"
        elif is_dicom(data):
            kind = "DICOM"
            known = read_header(data)
            kind, header = f"DICOM, {known.syntax.name}", dict(_told(known))
        decoded = pool.decode(data, layout)
    except BadFilm as error:
        return Verdict(False, error.reason.value, error.reason.message, kind, header, {}, b"")
    [row] = source.find([path.name], [decoded.sop_uid]) if source else [None]
    stated = row.stated.over(decoded.stated) if row else decoded.stated
    return Verdict(True, "", "", kind, header, dict(_facts(stated)), decoded.thumbnail)


def _told(header: Header) -> Iterator[tuple[str, str]]:
    for keyword in _HEADER:
        element = header.elements.get(keyword)
        if element is not None and str(element) != "":
            yield keyword, str(element)[:80]


def _facts(stated: Stated) -> Iterator[tuple[str, str]]:
    for field in fields(Stated):
        value = getattr(stated, field.name)
        if value is None or value == ():
            continue
        if field.name in _IDS:
            yield field.name, "stated; kept as a pseudonym"
        elif field.name == "labels":
            said = [f"{label.name} {label.state.value}" for label in value if label.state is not LabelState.UNKNOWN]
            yield field.name, ", ".join(said)
        elif field.name == "boxes":
            yield field.name, str(len(value))
        elif field.name == "study_date":
            yield field.name, "stated; kept only where the dataset is already de-identified"
        else:
            yield field.name, str(value)
