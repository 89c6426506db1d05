"""A folder of films: every file that may be one, in a fixed order, confined to the folder."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


def list_films(source: Path, layout: str = "auto", passed: Counter[str] | None = None) -> list[Listed]:
    """Every file under `source` (or `source` itself) that may be a film, sorted by name.

    Files are chosen by their ending; those without one by looking for DICOM's preamble. Hidden files, DICOMDIR and
    linked folders are passed over; a folder that cannot be opened is listed as one film that cannot be read.

    passed: here the files passed over that may hold films are counted, by ending. Raises INVALID_ARGUMENT.
    """
    if layout not in LAYOUTS:
        raise invalid(f"layout is one of {', '.join(LAYOUTS)}")
    return list_endings(source, LAYOUTS[layout], passed)


def list_endings(source: Path, endings: tuple[str, ...], passed: Counter[str] | None = None) -> list[Listed]:
    """The same for files with one of these endings. Raises INVALID_ARGUMENT."""
    if source.is_file():
        return [Listed(source.parent, source.name)]
    if not source.is_dir():
        raise invalid("the source is neither a folder nor a file on this server; check the path")
    others, closed = Counter[str]() if passed is None else passed, list[str]()
    names = sorted(_walk(source, endings, others, closed))
    if "./" in closed:
        raise invalid("the source's folder cannot be opened; check its permissions")
    if not names and not closed:
        raise invalid(f"the source holds no DICOM, PNG or JPEG file{f', but {told(others)}' if others else ''}")
    refused = [Refused(source, name, Reason.UNREADABLE_FOLDER) for name in sorted(closed)]
    return [*refused, *(Listed(source, name) for name in names)]


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
    others = tuple(ending for ending in (*PICTURES, *DICOM, *OTHERS) if ending not in endings)

    def failed(error: OSError) -> None:
        closed.append(f"{Path(error.filename).relative_to(source).as_posix()}/")

    for folder, below, files in os.walk(source, onerror=failed, followlinks=False):
        below[:] = [name for name in below if not name.startswith(".")]
        inside = Path(folder).relative_to(source).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        for name in files:  # plain strings: archives have millions of files, and a Path of each costs ten times this
            if name.startswith("."):
                continue
            lower = name.lower()
            if lower.endswith(endings) or _is_bare_dicom(folder, name):
                yield prefix + name
            elif lower.endswith(others):
                passed[max((ending for ending in others if lower.endswith(ending)), key=len)] += 1


def _is_bare_dicom(folder: str, name: str) -> bool:
    """Is it DICOM without an ending?"""
    path = Path(folder, name)
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
