"""NumPy's files without its pickles: one film's vector in an ``.npy``, many with their names in an ``.npz``.

Rows are read as they stand in the file, some at a time, so that a part of gigabytes needs no gigabytes. An array of
Python objects is a pickle, which runs what it pleases when it is read: none is ever opened. Vectors that come so are
refused; names are read from it as text (`object_names`).
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources import object_names

BATCH_BYTES = 8 * 2**20
BATCH_ROWS = 256
NAMES = ("filenames", "filename", "names", "image_id", "image_ids", "dicom_id", "sop_instance_uid", "ids", "key",
         "path", "file", "image")  # fmt: skip
_MOST_NAMES = 512 * 2**20  # bytes of one file's names
_MOST_PICKLED = 64 * 2**20  # bytes of names that stand in an object array
_MOST_TURNED = 2**30  # bytes of an array that stands column by column, which cannot be read in rows
_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some films of a file. first: the number of the first one in it.  names: as the file states them; None where the
    file itself is the film's.  arrays: one per film, of any shape, or None where there is none."""

    first: int
    names: Sequence[str] | None
    arrays: Sequence[NDArray[Any] | None]


@dataclass(frozen=True, slots=True)
class _Head:
    shape: tuple[int, ...]
    turned: bool  # Fortran's order
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy(path: Path, _array: str = "", _names: str = "") -> Iterator[Rows]:
    """The one vector of the file. Raises BadFilm."""
    try:
        with path.open("rb") as file:
            yield Rows(0, None, [_whole(file, _numbers(_head(file)))])
    except _BROKEN:
        raise BadFilm(Reason.BROKEN_VECTORS) from None


def count_npy(_path: Path, _names: str = "") -> int:
    return 1


def read_npz(path: Path, array: str = "", names: str = "") -> Iterator[Rows]:
    """Vectors with their names, or one without: then the file is the film's. array, names: members, where they have
    names of their own. Raises BadFilm."""
    try:
        with zipfile.ZipFile(path) as archive:
            heads = _heads(archive)
            named = _names(heads, names)
            chosen = _chosen(heads, array, named)
            if named is None:
                with archive.open(f"{chosen}.npy") as member:
                    yield Rows(0, None, [_whole(member, _head(member))])
                return
            told = _texts(archive, named)
            with archive.open(f"{chosen}.npy") as member:
                for first, rows in _streamed(member, _head(member)):
                    yield Rows(first, told[first : first + len(rows)], list(rows))
    except _BROKEN:
        raise BadFilm(Reason.BROKEN_VECTORS) from None


def count_npz(path: Path, names: str = "") -> int:
    """How many films the file speaks of; 1 when it cannot be read, for that is one thing to report."""
    try:
        with zipfile.ZipFile(path) as archive:
            heads = _heads(archive)
            named = _names(heads, names)
            return heads[named].shape[0] if named is not None and heads[named].shape else 1
    except (*_BROKEN, BadFilm):
        return 1


def _heads(archive: zipfile.ZipFile) -> dict[str, _Head]:
    heads = {}
    for info in archive.infolist():
        if info.filename.endswith(".npy"):
            with archive.open(info) as member:
                heads[info.filename.removesuffix(".npy")] = _head(member)
    return heads


def _names(heads: dict[str, _Head], asked: str) -> str | None:
    if asked and asked not in heads:
        raise BadFilm(Reason.NO_VECTORS)
    return asked or next((name for name in NAMES if name in heads), None)


def _chosen(heads: dict[str, _Head], asked: str, named: str | None) -> str:
    """The array of vectors: the one asked for, or the only one of numbers."""
    if asked:
        if asked not in heads:
            raise BadFilm(Reason.NO_VECTORS)
        found = [asked]
    else:
        found = [name for name, head in heads.items() if head.dtype.kind in "fO" and name != named]
    if len(found) != 1:
        raise BadFilm(Reason.NO_VECTORS)
    head = _numbers(heads[found[0]])
    if named is not None and (not head.shape or head.shape[:1] != heads[named].shape):
        raise BadFilm(Reason.NO_VECTORS)
    return found[0]


def _texts(archive: zipfile.ZipFile, name: str) -> list[str]:
    with archive.open(f"{name}.npy") as member:
        head = _head(member)
        if head.dtype == object and len(head.shape) == 1:
            return _object_texts(member, head.shape[0])
        if head.dtype.kind not in "US" or len(head.shape) != 1 or head.bytes > _MOST_NAMES:
            raise BadFilm(Reason.PICKLED_VECTORS if head.dtype.hasobject else Reason.NO_VECTORS)
        texts = _whole(member, head)
    return [str(text, "utf-8", "replace") if isinstance(text, bytes) else str(text) for text in texts.tolist()]


def _object_texts(file: IO[bytes], count: int) -> list[str]:
    data = file.read(_MOST_PICKLED + 1)
    try:
        if len(data) > _MOST_PICKLED:
            raise ValueError("too long")
        return object_names.texts(data, count)
    except ValueError:
        raise BadFilm(Reason.PICKLED_VECTORS) from None


def _numbers(head: _Head) -> _Head:
    if head.dtype.hasobject:
        raise BadFilm(Reason.PICKLED_VECTORS)
    if head.dtype.kind != "f":
        raise BadFilm(Reason.NO_VECTORS)
    return head


def _head(file: IO[bytes]) -> _Head:
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise BadFilm(Reason.BROKEN_VECTORS)
    return _Head(*read(file))


def _whole(file: IO[bytes], head: _Head) -> NDArray[Any]:
    if head.bytes > _MOST_TURNED:
        raise BadFilm(Reason.BROKEN_VECTORS)
    data = file.read(head.bytes)
    if len(data) < head.bytes:
        raise BadFilm(Reason.BROKEN_VECTORS)
    return np.frombuffer(data, head.dtype).reshape(head.shape, order="F" if head.turned else "C")


def _streamed(file: IO[bytes], head: _Head) -> Iterator[tuple[int, NDArray[Any]]]:
    """(number of the first row, rows) until the end."""
    one = _Head(head.shape[1:], False, head.dtype)
    step = max(1, min(BATCH_ROWS, BATCH_BYTES // max(one.bytes, 1)))
    turned = _whole(file, head) if head.turned and len(head.shape) > 1 else None
    for first in range(0, head.shape[0], step):
        count = min(step, head.shape[0] - first)
        if turned is not None:
            yield first, turned[first : first + count]
        else:
            yield first, _whole(file, _Head((count, *one.shape), False, head.dtype))
