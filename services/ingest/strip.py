"""PNG and JPEG without what they say beside their pixels: EXIF, XMP, comments, text, profiles, times, thumbnails.

Pixels are not encoded anew: chunks and segments are copied or left out. PNG: W3C Portable Network Graphics (third
edition), section 11; JPEG: ITU-T T.81, annex B.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from services.ingest.reasons import BadFilm, Reason

_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_APP0, _APP14, _APP15 = 0xE0, 0xEE, 0xEF
_ADOBE = b"Adobe"  # says how colours are encoded, so the pixels need it


def stripped(data: bytes) -> bytes:
    """The same picture with nothing but what its pixels need. Raises BadFilm for a damaged one."""
    try:
        return b"".join(_png(data) if data.startswith(_PNG) else _jpeg(data))
    except (struct.error, IndexError):
        raise BadFilm(Reason.TRUNCATED) from None


def _png(data: bytes) -> Iterator[bytes]:
    yield _PNG
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise BadFilm(Reason.TRUNCATED)
        if kind in _CHUNKS:
            yield data[at:end]
        at = end


def _jpeg(data: bytes) -> Iterator[bytes]:
    yield data[:2]
    at = 2
    while True:
        marker, kind = struct.unpack_from(">BB", data, at)
        if marker != 0xFF:
            raise BadFilm(Reason.BROKEN_HEADER)
        if kind == 0xFF:  # a fill byte
            at += 1
            continue
        if kind == _SCAN:  # entropy-coded data follow; what comes after the end of the image is no picture
            yield from _scans(data, at)
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at : at + 2 + length]
        if not (_APP0 <= kind <= _APP15 or kind == _COMMENT) or (kind == _APP14 and segment[4:9] == _ADOBE):
            yield segment
        at += 2 + length


def _scans(data: bytes, at: int) -> Iterator[bytes]:
    """Scans with their tables up to the end of the image; segments between scans are held to the same list."""
    while True:
        if data[at + 1] == _END:
            yield data[at : at + 2]
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        scan, kept = data[at + 1] == _SCAN, not (_APP0 <= data[at + 1] <= _APP15 or data[at + 1] == _COMMENT)
        start, at = at, at + 2 + length
        while scan and not (data[at] == 0xFF and data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7):
            at = data.find(b"\xff", at + 1)
            if at < 0:
                raise BadFilm(Reason.TRUNCATED)
        if kept:
            yield data[start:at]
