"""Decoded films kept on disk, so that a model added later needs no source: exactly the pixels encoders saw.

A film is one or two PNGs: the display, and the full range where that says more. They are found by `pixel_sha256`, which
is checked on reading, and pictures of patients like the thumbnails are. The folder keeps below its bound by dropping
what was written longest ago.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.ingest.looks import pixel_sha256

DEFAULT_BOUND = 20 * 2**30  # bytes, where a job asks for a cache and HILUM_PIXEL_CACHE sets no bound
_MAGIC = b"HPX1"
_ROOM = 0.9  # of the bound, after dropping


def pack(film: Film) -> bytes:
    """A film's pixels as bytes, without loss."""
    display = _png(film.display)
    more = b"" if _shallow(film) else _png(film.full)
    return _MAGIC + struct.pack("<I", len(display)) + display + more


def unpack(data: bytes) -> Film:
    """The film again. Raises ValueError for what is none."""
    if data[:4] != _MAGIC or len(data) < 8:
        raise ValueError("not a packed film")
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    display = _pixels(data[8:end]).astype(np.uint8)
    full = _pixels(data[end:]).astype(np.uint16) if data[end:] else display.astype(np.uint16) * np.uint16(257)
    return Film(display, full)


class PixelCache:
    """Packed films below `folder`, `bound` bytes of them at most. Safe between threads, and between processes but for
    their counting apart."""

    def __init__(self, folder: Path, bound: int) -> None:
        self._folder, self._bound = folder, bound
        self._lock = threading.Lock()
        self._size: int | None = None  # unknown until somebody writes

    @classmethod
    def of(cls, settings: Settings, asked: bool = False) -> PixelCache | None:
        """The installation's cache; None where it keeps none and nobody asked."""
        bound = settings.pixel_cache or (DEFAULT_BOUND if asked else 0)
        return cls(settings.data_dir / "pixels", bound) if bound else None

    @classmethod
    def at(cls, settings: Settings) -> PixelCache:
        """The same for reading: whatever was kept."""
        return cls(settings.data_dir / "pixels", settings.pixel_cache or DEFAULT_BOUND)

    def put(self, digest: str, packed: bytes) -> None:
        """Keep a film; one that is kept already, or larger than the bound, changes nothing. A torn write is never
        seen. A full disk is the cache's own trouble: the film is then not kept."""
        path = self._path(digest)
        if path.exists() or len(packed) > self._bound:
            return
        part = path.with_name(f".{digest}.{os.getpid()}.{os.urandom(4).hex()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(packed)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            return
        with self._lock:
            self._size = self._measured() if self._size is None else self._size + len(packed)
            if self._size > self._bound:
                self._drop()

    def get(self, digest: str) -> Film | None:
        """The film with exactly these pixels; None when it is not kept, or damaged and now gone."""
        try:
            data = self._path(digest).read_bytes()
        except OSError:
            return None
        try:
            film = unpack(data)
        except (ValueError, OSError, SyntaxError, struct.error):
            film = None
        if film is None or pixel_sha256(film) != digest:
            self.delete([digest])
            return None
        return film

    def delete(self, digests: Iterable[str]) -> None:
        """Forget films; those that are not kept are no error."""
        for digest in digests:
            if digest:
                path = self._path(digest)
                with self._lock:
                    try:
                        size = path.stat().st_size
                        path.unlink()
                    except OSError:
                        continue
                    self._size = None if self._size is None else self._size - size

    def size(self) -> int:
        """Bytes of all films kept."""
        return self._measured()

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise HilumError(ErrorCode.NOT_FOUND, "no such film")
        return self._folder / digest[:2] / digest

    def _entries(self) -> list[os.DirEntry[str]]:
        if not self._folder.is_dir():
            return []
        return [entry for part in os.scandir(self._folder) if part.is_dir() for entry in os.scandir(part.path)]

    def _measured(self) -> int:
        return sum(_stat(entry)[1] for entry in self._entries())

    def _drop(self) -> None:
        """The oldest go until there is room to spare, so that not every film costs a look at all."""
        kept = sorted((*_stat(entry), entry.path) for entry in self._entries())
        total = sum(size for _, size, _ in kept)
        for _, size, path in kept:
            if total <= _ROOM * self._bound:
                break
            Path(path).unlink(missing_ok=True)
            total -= size
        self._size = total


def _stat(entry: os.DirEntry[str]) -> tuple[int, int]:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _shallow(film: Film) -> bool:
    """Does the full range follow from the display? Of 8-bit pictures it does."""
    return bool(np.array_equal(film.full, film.display.astype(np.uint16) * np.uint16(257)))


def _png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _pixels(data: bytes) -> NDArray[np.generic]:
    with Image.open(BytesIO(data), formats=("PNG",)) as image:
        return np.asarray(image)
