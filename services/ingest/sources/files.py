"""A folder of films: every file that may be one, in a fixed order, confined to the folder."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from services.core.errors import invalid
from services.core.limits import MAX_UPLOAD_BYTES
from services.encoders.slices import LAYOUT as CT
from services.ingest.header import is_dicom
from services.ingest.reasons import BadFilm, Reason

PICTURES = (".png", ".jpg", ".jpeg")
DICOM = (".dcm", ".dicom", ".dic", ".ima")
# What may hold films and is not looked into: told, so that nobody takes them for ingested.
OTHERS = (
    ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2", ".nii", ".nii.gz", ".mha", ".nrrd", ".dcm.gz", ".zip", ".tar",
    ".tar.gz", ".tgz", ".7z", ".rar",
)  # fmt: skip
LAYOUTS = {"auto": (*PICTURES, *DICOM), "files": (*PICTURES, *DICOM), "dicom": DICOM, CT: DICOM}


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a source. `name` is its path below the source, with forward slashes: it never leaves this process."""

    root: Path
    name: str

    @property
    def key(self) -> str | None:
        """The film's own key, where the listing tells it already."""
        return None

    def size(self) -> int:
        """About how many bytes there are to read; 0 when nobody knows."""
        try:
            return (self.root / self.name).stat().st_size
        except OSError:
            return 0

    def read(self, first: int = 0) -> bytes:
        """The whole file, or its `first` bytes. Raises BadFilm: too large, unreadable, or reached through a link out of
        the source."""
        path = self.root / self.name
        try:
            if path.is_symlink() and not path.resolve(strict=True).is_relative_to(self.root.resolve()):
                raise BadFilm(Reason.OUTSIDE_SOURCE)
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # non-blocking: a pipe of that name hangs nobody
            with os.fdopen(descriptor, "rb") as file:
                data = file.read(first or MAX_UPLOAD_BYTES + 1)
        except (OSError, RuntimeError):  # the latter: a link that leads to itself
            raise BadFilm(Reason.UNREADABLE_FILE) from None
        if len(data) > MAX_UPLOAD_BYTES:
            raise BadFilm(Reason.FILE_TOO_LARGE)
        return data


@dataclass(frozen=True, slots=True)
class Refused(Listed):
    """A file, or a folder, that stands for what is not taken, and why."""

    reason: Reason

    def read(self, first: int = 0) -> bytes:
        raise BadFilm(self.reason)


class Listing(Sequence[Listed]):
    """Files below `root` in the order of `names`, after `refused`. Names are kept packed, for an archive has millions,
    and a file begins to exist when it is asked for."""

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self._root = root
        self.refused: Sequence[Refused] = ()
        self._names, self._ends = bytearray(), array("Q", [0])
        for name in names:
            self._names += name.encode("utf-8", "surrogateescape")
            self._ends.append(len(self._names))

    def __len__(self) -> int:
        return len(self.refused) + len(self._ends) - 1

    @overload
    def __getitem__(self, at: int) -> Listed: ...
    @overload
    def __getitem__(self, at: slice) -> list[Listed]: ...
    def __getitem__(self, at: int | slice) -> Listed | list[Listed]:
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(len(self)))]
        at = range(len(self))[at]
        if at < len(self.refused):
            return self.refused[at]
        begin, end = self._ends[at - len(self.refused) : at - len(self.refused) + 2]
        return Listed(self._root, self._names[begin:end].decode("utf-8", "surrogateescape"))


def list_films(source: Path, layout: str = "auto", passed: Counter[str] | None = None) -> Sequence[Listed]:
    """Every file under `source` (or `source` itself) that may be a film, sorted by name.

    Files are chosen by their ending; those without one by looking for DICOM's preamble. Hidden files, DICOMDIR and
    linked folders are passed over; a folder that cannot be opened is listed as one film that cannot be read.

    passed: here the files passed over that may hold films are counted, by ending. Raises INVALID_ARGUMENT.
    """
    if layout not in LAYOUTS:
        raise invalid(f"layout is one of {', '.join(LAYOUTS)}")
    return list_endings(source, LAYOUTS[layout], passed)


def list_endings(source: Path, endings: tuple[str, ...], passed: Counter[str] | None = None) -> Sequence[Listed]:
    """The same for files with one of these endings. Raises INVALID_ARGUMENT."""
    if source.is_file():
        return [Listed(source.parent, source.name)]
    if not source.is_dir():
        raise invalid("the source is neither a folder nor a file on this server; check the path")
    others, closed = Counter[str]() if passed is None else passed, list[str]()
    found = Listing(source, _walk(source, endings, others, closed))
    if "./" in closed:
        raise invalid("the source's folder cannot be opened; check its permissions")
    if not found and not closed:
        raise invalid(f"the source holds no DICOM, PNG or JPEG file{f', but {told(others)}' if others else ''}")
    found.refused = [Refused(source, name, Reason.UNREADABLE_FOLDER) for name in sorted(closed)]
    return found


def matching(folder: Path, pattern: str) -> Iterator[Path]:
    """Files below `folder` that fit a glob, which may begin with ``**/``. Folders that cannot be opened are passed
    over: the listing of films tells of them."""
    if not pattern.startswith("**/"):
        with contextlib.suppress(OSError):
            yield from folder.glob(pattern)
        return
    tail = pattern.removeprefix("**/")
    for at, _, files in os.walk(folder):  # quicker than pathlib, which ends at what it cannot open
        for name in fnmatch.filter(files, tail.rpartition("/")[2]):
            if (path := Path(at, name)).match(tail):
                yield path


def told(passed: Counter[str]) -> str:
    """Files passed over in words: ``3 .tiff, 1 .zip``."""
    return ", ".join(f"{count} {ending}" for ending, count in passed.most_common())


def _walk(source: Path, endings: tuple[str, ...], passed: Counter[str], closed: list[str]) -> Iterator[str]:
    """Names of films, sorted, with one folder in memory at a time."""
    others = tuple(ending for ending in (*PICTURES, *DICOM, *OTHERS) if ending not in endings)
    under_way = [iter([""])]
    while under_way:
        name = next(under_way[-1], None)
        if name is None:
            under_way.pop()
        elif name == "" or name.endswith("/"):
            try:
                under_way.append(iter(_inside(source, name)))
            except OSError:
                closed.append(name or "./")
        elif (lower := name.lower()).endswith(endings) or _is_bare_dicom(source, name):
            yield name
        elif lower.endswith(others):
            passed[max((ending for ending in others if lower.endswith(ending)), key=len)] += 1


def _inside(source: Path, folder: str) -> list[str]:
    """What `folder` holds, hidden and linked folders apart. Folders end in a slash: in their place among the files'
    names so, what they hold is in its place among all paths."""
    names = []
    with os.scandir(f"{source}/{folder}") as entries:
        for entry in entries:  # plain strings: a Path of each costs ten times this
            if entry.name.startswith("."):
                continue
            if not _is_folder(entry):
                names.append(folder + entry.name)
            elif not entry.is_symlink():
                names.append(f"{folder}{entry.name}/")
    return sorted(names)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_bare_dicom(source: Path, name: str) -> bool:
    """Is it DICOM without an ending?"""
    path = source / name
    ending = path.suffix
    if path.name.upper() == "DICOMDIR" or not (ending == "" or ending[1:].isdigit()):  # UIDs end in a number
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return is_dicom(file.read(132))
    except OSError:
        return False
