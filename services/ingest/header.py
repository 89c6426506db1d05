"""DICOM bytes → the part of the header that may be read, before a single pixel is decoded or inflated.

pydicom's own `dcmread` inflates a deflated file whole before Rows and Columns can be seen, so the transfer syntax is
read first and deflated bytes are inflated in steps. Only allow-listed elements are parsed: names, free text, private
elements and overlays never enter memory as values.
"""

from __future__ import annotations

import logging
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from services.ingest.reasons import BadFilm, Reason

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PIXELS = {Tag(keyword) for keyword in PIXEL_KEYWORDS}
_WANTED = [
    Tag(keyword)
    for keyword in (
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "ImageType",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PatientID",
        "PatientSex",
        "PatientAge",
        "StudyDate",
        "Modality",
        "BodyPartExamined",
        "ViewPosition",
        "ViewCodeSequence",
        "BurnedInAnnotation",
        "AccessionNumber",
        "Manufacturer",
        "ManufacturerModelName",
        "InstitutionName",
        "ImagerPixelSpacing",
        "PixelSpacing",
        "PresentationIntentType",
        "PresentationLUTShape",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "NumberOfFrames",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "ModalityLUTSequence",
        "RescaleIntercept",
        "RescaleSlope",
        "RescaleType",
        "VOILUTSequence",
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
    )
] + [Tag(0x6000 + 2 * n, 0x0102) for n in range(16)]  # OverlayBitPosition: do overlays share the pixels' high bits?
_FIRST_INFLATED = 2**20
# What pydicom warns of, it quotes: values of headers are nothing for a terminal or a log. Decode children are silent
# altogether; other processes read headers, too, to list CT series, to reconcile, to explain, to de-identify.
warnings.filterwarnings("ignore", module=r"pydicom|services\.ingest")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
_SLACK = 2**16  # what may follow the pixels: padding and a trailing element
_FRAMES_PER_LEVEL, _FRAMES_BESIDE = 4, 32  # what pydicom spends on a nested sequence, and before the first
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Header:
    """The allow-listed elements, and what is needed to come back for the pixels."""

    elements: Dataset
    syntax: UID
    body: bytes
    offset: int


def is_dicom(data: bytes) -> bool:
    """Is there a preamble with DICM?"""
    return data[128:132] == b"DICM"


def read_header(data: bytes) -> Header:
    """Read the allow-listed elements in front of the pixels. Raises BadFilm."""
    if not is_dicom(data):
        raise BadFilm(Reason.NOT_AN_IMAGE)
    with _parsing():
        stream = BytesIO(data)
        stream.seek(132)
        meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag >= 0x00030000)
        syntax = UID(str(meta.get("TransferSyntaxUID", "")))
        offset = stream.tell()
        if not syntax.is_transfer_syntax:
            raise BadFilm(Reason.BROKEN_HEADER)
        if syntax == DeflatedExplicitVRLittleEndian:
            body, start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[offset:], _FIRST_INFLATED), 0
        else:
            body, start = data, offset
        return Header(_elements(body, start, syntax, _in_front_of_pixels), syntax, data, offset)


def read_with_pixels(header: Header, expected: int) -> Dataset:
    """The same elements with the pixels, ready for pydicom's decoders; `expected` bytes bound what is inflated.

    Raises BadFilm.
    """
    body, start, syntax = header.body, header.offset, header.syntax
    with _parsing():
        if syntax == DeflatedExplicitVRLittleEndian:
            bound = _FIRST_INFLATED + expected + _SLACK
            body, start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(body[start:], bound), 0
            syntax = UID(ExplicitVRLittleEndian)
        elements = _elements(body, start, syntax, None)
    elements.file_meta = FileMetaDataset()
    elements.file_meta.TransferSyntaxUID = syntax
    return elements


def _elements(body: bytes, start: int, syntax: UID, stop: object) -> Dataset:
    stream = BytesIO(body)
    stream.seek(start)
    wanted: list[BaseTag | int] = [*_WANTED, *(_PIXELS if stop is None else ())]
    return read_dataset(
        stream, syntax.is_implicit_VR, syntax.is_little_endian, stop_when=stop, specific_tags=wanted  # type: ignore[arg-type]
    )  # fmt: skip


def _in_front_of_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in _PIXELS


@contextmanager
def _parsing() -> Iterator[None]:
    """Every way in which a header can be damaged is one of two reasons."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(_stack_depth() + _FRAMES_BESIDE + _FRAMES_PER_LEVEL * _DEEPEST)
    try:
        yield
    except BadFilm:
        raise
    except RecursionError:
        raise BadFilm(Reason.NESTED_TOO_DEEP) from None
    except MemoryError:
        raise
    except Exception:
        raise BadFilm(Reason.BROKEN_HEADER) from None
    finally:
        sys.setrecursionlimit(before)


def _stack_depth() -> int:
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    return depth
