"""A folder of films: every file that may be one, in a fixed order, confined to the folder."""

from __future__ import annotations

import os
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
        except OSError:
            raise BadFilm(Reason.UNREADABLE_FILE) from None
        if len(data) > MAX_UPLOAD_BYTES:
            raise BadFilm(Reason.FILE_TOO_LARGE)
        return data


def list_films(source: Path, layout: str = "auto") -> list[Listed]:
    """Every file under `source` (or `source` itself) that may be a film, sorted by name.

    Files are chosen by their ending; those without one by looking for DICOM's preamble. Hidden files, DICOMDIR and
    linked folders are passed over. Raises INVALID_ARGUMENT.
    """
    if layout not in LAYOUTS:
        raise invalid(f"layout is one of {', '.join(LAYOUTS)}")
    return list_endings(source, LAYOUTS[layout])


def list_endings(source: Path, endings: tuple[str, ...]) -> list[Listed]:
    """The same for files with one of these endings. Raises INVALID_ARGUMENT."""
    if source.is_file():
        return [Listed(source.parent, source.name)]
    if not source.is_dir():
        raise invalid("the source is neither a folder nor a file on this server; check the path")
    names = sorted(_walk(source, endings))
    if not names:
        raise invalid("the source holds no DICOM, PNG or JPEG file")
    return [Listed(source, name) for name in names]


def _walk(source: Path, endings: tuple[str, ...]) -> Iterator[str]:
    for folder, below, files in os.walk(source, followlinks=False):
        below[:] = [name for name in below if not name.startswith(".")]
        inside = Path(folder).relative_to(source).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        for name in files:  # plain strings: archives have millions of files, and a Path of each costs ten times this
            if not name.startswith(".") and (name.lower().endswith(endings) or _is_bare_dicom(Path(folder, name))):
                yield prefix + name


def _is_bare_dicom(path: Path) -> bool:
    """Is it DICOM without an ending?"""
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
