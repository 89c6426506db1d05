"""The size that a compressed picture states itself. A decoder allocates by this size, not by the header's, so the two
must agree before any decoder runs."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000TransferSyntaxes, RLELossless

from services.ingest.reasons import BadFilm, Reason

_J2K_START = b"\xff\x4f\xff\x51"
# Start-of-frame markers: all of C0–CF but tables (C4), reserved (C8) and arithmetic conditioning (CC); F7 is JPEG-LS.
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


def check_codestream(frame: bytes, elements: Dataset) -> None:
    """Raise BadFilm when the stream has no readable size or another size than Rows × Columns × SamplesPerPixel."""
    syntax = elements.file_meta.TransferSyntaxUID
    if syntax == RLELossless:
        return  # run lengths carry no size; the decoder fills exactly Rows × Columns
    is_j2k = syntax in JPEG2000TransferSyntaxes or "High-Throughput" in syntax.name
    size = _j2k_size(frame) if is_j2k else jpeg_size(frame)
    if size is None:
        raise BadFilm(Reason.CORRUPT_PIXELS)
    if size != (elements.Rows, elements.Columns, int(elements.get("SamplesPerPixel") or 1)):
        raise BadFilm(Reason.DIMENSIONS_MISMATCH)


def _j2k_size(frame: bytes) -> tuple[int, int, int] | None:
    """(rows, columns, components) of the SIZ segment."""
    start = frame.find(_J2K_START, 0, 4096)
    siz = frame[start + 4 : start + 42] if start >= 0 else b""
    if len(siz) < 38:
        return None
    width, height, left, top = (int.from_bytes(siz[i : i + 4], "big") for i in (4, 8, 12, 16))
    return height - top, width - left, int.from_bytes(siz[36:38], "big")


def jpeg_size(frame: bytes) -> tuple[int, int, int] | None:
    """(rows, columns, components) of the first frame of a JPEG or JPEG-LS stream."""
    at = 2
    if frame[:2] != b"\xff\xd8":
        return None
    while at + 9 < len(frame):
        if frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            segment = frame[at + 5 : at + 10]
            return int.from_bytes(segment[:2], "big"), int.from_bytes(segment[2:4], "big"), segment[4]
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
