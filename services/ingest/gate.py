"""What is let in: single-frame grey CR and DX films of the chest. Decided on the header, before pixels are decoded.

Decisions on contradictory headers:

- blank BodyPartExamined: taken (many rooms never fill it); any part other than chest, thorax, lung or ribs is refused.
- Secondary Capture: taken when Modality says CR or DX (film collections re-wrapped that way), else refused.
- "for processing" films: refused, as their grey scale is not the one encoders were trained on.
- three equal colour channels: taken as grey (`pixels`); real colour is refused.
- MONOCHROME2 that looks inverted: taken as it is; the header is the only witness, and guessing would also flip films
  that are right.
- PresentationLUTShape that contradicts the photometric interpretation (INVERSE with MONOCHROME2, IDENTITY with
  MONOCHROME1): refused. PS3.3 C.8.11.1 rules it out, viewers disagree on what to do, and half of them show it inverted.
  With MONOCHROME1, INVERSE says the same thing a second time: such films are inverted once.
- presentation states: refused, as they hold no film. What they say of a film elsewhere (window, inversion, rotation,
  shutter) is not applied: films are taken as they are stored.
- BurnedInAnnotation YES: refused. Absent is not NO, but most archives never fill it.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from services.core.limits import MAX_FILM_PIXELS
from services.ingest.header import Header
from services.ingest.reasons import BadFilm, Reason

CT = "1.2.840.10008.5.1.4.1.1.2"
CR = "1.2.840.10008.5.1.4.1.1.1"
DX_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
DX_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MODALITIES = ("CR", "DX")
SMALLEST_SIDE = 32
_CHEST = ("CHEST", "THORAX", "TORAX", "LUNG", "RIB")
_STATES = "1.2.840.10008.5.1.4.1.1.11."  # every kind of presentation state begins so (PS3.4 B.5)
_CONTRADICTIONS = (("MONOCHROME2", "INVERSE"), ("MONOCHROME1", "IDENTITY"))
_GREY = ("MONOCHROME1", "MONOCHROME2")


def check(header: Header) -> None:
    """Raise BadFilm when the header is not one of a chest radiograph that can be decoded within bounds."""
    check_with_writing(header)
    _writing(header.elements)


def check_with_writing(header: Header) -> None:
    """The same, but writing that the header owns up to is no reason."""
    _kind(header.elements)
    _shape(header.elements)
    _greys(header.elements)
    _encoding(header.elements, header.syntax)


def check_slice(header: Header) -> None:
    """Raise BadFilm when the header is not one of an axial chest CT slice that can be decoded within bounds."""
    check_slice_kind(header)
    if is_localizer(header.elements):
        raise BadFilm(Reason.LOCALIZER)
    _shape(header.elements)
    if (_number(header.elements, "SamplesPerPixel") or 1) != 1:
        raise BadFilm(Reason.COLOUR)
    _encoding(header.elements, header.syntax)


def check_slice_kind(header: Header) -> None:
    """Raise BadFilm when the object is no single slice of a CT of the chest."""
    elements = header.elements
    if str(elements.get("SOPClassUID") or "") != CT or _code(elements, "Modality") != "CT":
        raise BadFilm(Reason.NOT_CT)
    _chest(elements)
    _writing(elements)


def is_localizer(elements: Dataset) -> bool:
    """Is it the overview that a scan is planned on? Its ImageType says so."""
    kinds = elements.get("ImageType") or ()
    return "LOCALIZER" in [str(kind).strip().upper() for kind in ([kinds] if isinstance(kinds, str) else kinds)]


def is_presentation_state(sop_class: str) -> bool:
    """Is it no film, but a way to show one?"""
    return sop_class.startswith(_STATES)


def check_size(rows: int, columns: int) -> None:
    """Raise BadFilm when a picture is too large to be decoded or too small to be a film."""
    if rows * columns > MAX_FILM_PIXELS or max(rows, columns) > 65_535:
        raise BadFilm(Reason.TOO_LARGE)
    if min(rows, columns) < SMALLEST_SIDE:
        raise BadFilm(Reason.TOO_SMALL)


def _kind(elements: Dataset) -> None:
    sop, modality = str(elements.get("SOPClassUID") or ""), _code(elements, "Modality")
    if not sop:
        raise BadFilm(Reason.BROKEN_HEADER)
    if is_presentation_state(sop):
        raise BadFilm(Reason.PRESENTATION_STATE)
    if sop == DX_PROCESSING or _code(elements, "PresentationIntentType") == "FOR PROCESSING":
        raise BadFilm(Reason.FOR_PROCESSING)
    if modality not in (*MODALITIES, ""):
        raise BadFilm(Reason.WRONG_MODALITY)
    if sop not in (CR, DX_PRESENTATION) and not (sop == SECONDARY_CAPTURE and modality):
        raise BadFilm(Reason.WRONG_SOP_CLASS)
    _chest(elements)


def _chest(elements: Dataset) -> None:
    part = _code(elements, "BodyPartExamined")
    if part and not any(word in part for word in _CHEST):
        raise BadFilm(Reason.WRONG_BODY_PART)


def _writing(elements: Dataset) -> None:
    if _code(elements, "BurnedInAnnotation") == "YES":
        raise BadFilm(Reason.BURNED_IN_TEXT)


def _shape(elements: Dataset) -> None:
    rows, columns = _number(elements, "Rows"), _number(elements, "Columns")
    if rows is None and columns is None:
        raise BadFilm(Reason.NO_PIXELS)
    if not rows or not columns:
        raise BadFilm(Reason.BROKEN_HEADER)
    check_size(rows, columns)
    if (_number(elements, "NumberOfFrames") or 1) != 1:
        raise BadFilm(Reason.MULTIFRAME)
    samples, photometric = _number(elements, "SamplesPerPixel") or 1, _code(elements, "PhotometricInterpretation")
    if samples not in (1, 3) or (samples == 1 and photometric not in _GREY):
        raise BadFilm(Reason.COLOUR)


def _greys(elements: Dataset) -> None:
    if (_code(elements, "PhotometricInterpretation"), _code(elements, "PresentationLUTShape")) in _CONTRADICTIONS:
        raise BadFilm(Reason.CONTRADICTORY_GREYS)


def _encoding(elements: Dataset, syntax: UID) -> None:
    allocated, stored = _number(elements, "BitsAllocated"), _number(elements, "BitsStored")
    if allocated not in (8, 16):
        raise BadFilm(Reason.UNSUPPORTED_ENCODING)
    if stored is None or not 1 <= stored <= allocated:
        raise BadFilm(Reason.BROKEN_HEADER)
    if syntax.is_encapsulated:
        try:
            available = get_decoder(syntax).is_available
        except NotImplementedError:
            available = False
        if not available:
            raise BadFilm(Reason.UNSUPPORTED_ENCODING)


def _code(elements: Dataset, keyword: str) -> str:
    value = elements.get(keyword)
    return "" if value is None else str(value).strip().upper()


def _number(elements: Dataset, keyword: str) -> int | None:
    value = elements.get(keyword)
    try:
        return None if value is None or value == "" else int(value)
    except (TypeError, ValueError):
        raise BadFilm(Reason.BROKEN_HEADER) from None
