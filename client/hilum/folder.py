"""A folder, or a zip, that an export is written into, and that an interrupted export goes on in.

SHA256SUMS is the list of what is finished: a line is added with each file, so whatever ends the program, the next one
knows which files are whole. It checks them, and writes only what is missing or damaged. Every file is written beside
its place and moved into it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from hilum.errors import HilumError

SUMS = "SHA256SUMS"
IDENTITY = "export.json"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,120})?")
_PART = ".part"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_CHUNK = 2**20
_PACKED = (".jpg", ".jpeg", ".png", ".parquet")
Seen = Callable[[int, int], None]


class Folder:
    """to: a folder, made if need be, or a path that ends in ``.zip``; until that is whole, its files lie in a folder
    beside it. Raises HilumError: ALREADY_EXISTS where other files are."""

    def __init__(self, to: str | os.PathLike[str]) -> None:
        self._to = Path(to)
        self._zip = self._to.suffix.lower() == ".zip"
        if self._zip and self._to.exists():
            raise HilumError("ALREADY_EXISTS", "there is a file of this name; choose another, or remove it")
        self.home = self._to.with_name(self._to.name + _PART) if self._zip else self._to
        if self.home.exists() and not self.home.is_dir():
            raise HilumError(
                "ALREADY_EXISTS", "there is a file of this name; name a folder, or a file that ends in .zip"
            )
        self._sums = self._finished()
        self._identity = self._sums.get(IDENTITY)
        if self.home.is_dir() and any(one.name != SUMS for one in self.home.iterdir()) and IDENTITY not in self._sums:
            raise HilumError("ALREADY_EXISTS", "the folder has files that no export made; choose an empty one")
        self.home.mkdir(parents=True, exist_ok=True)
        self._listed: dict[str, str] = {}
        self._broken: set[str] = set()
        self.written = self.kept = 0

    def verified(self, seen: Seen = lambda done, total: None) -> dict[str, str]:
        """name → sha256 of the files that are there and whole; those that are not are to be written again."""
        total = len(self._sums)
        for number, (name, digest) in enumerate(list(self._sums.items()), 1):
            path = self._path(name)
            if path.is_symlink() or not path.is_file() or _sha256(path) != digest:
                del self._sums[name]
                self._broken.add(name)
            seen(number, total)
        return dict(self._sums)

    def last(self, below: str) -> str:
        """Of files that come in the order of their names in the folder `below`: the last that is whole and has none
        that is damaged before it. Empty where there is none."""
        gap = min((name for name in self._broken if name.startswith(below)), default=None)
        return max((name for name in self._sums if name.startswith(below) and (gap is None or name < gap)), default="")

    def holds(self, name: str) -> bool:
        """Is this file here, whole?"""
        return name in self._sums

    def keep(self, name: str) -> None:
        """The export has this file, and it is here already."""
        if name not in self._sums:
            raise HilumError("INTERNAL", "the service names a file as sent that is not here; give the command again")
        self._listed[name] = self._sums[name]
        self.kept += 1

    def write(self, name: str, digest: str, data: Iterable[bytes]) -> None:
        """A whole file at once; see `begin`."""
        writing = self.begin(name, digest)
        for chunk in data:
            writing.add(chunk)
        writing.end()

    def begin(self, name: str, digest: str) -> Writing:
        """A file whose bytes must have this sha256; one that is here already, the same, stays untouched. Raises
        HilumError: FAILED_PRECONDITION where the folder holds another export."""
        path, same = self._path(name), self._sums.get(name) == digest
        if name == IDENTITY and self._identity not in (None, digest):
            raise HilumError(
                "FAILED_PRECONDITION",
                "the folder holds another export (another cohort or run, other formats); choose an empty one",
            )
        path.parent.mkdir(exist_ok=True)
        return Writing(self, name, path, digest, same)

    def _written(self, name: str, digest: str) -> None:
        with open(self.home / SUMS, "a", encoding="utf-8") as sums:
            sums.write(f"{digest}  {name}\n")
        self._sums[name] = self._listed[name] = digest
        self.written += 1

    def close(self) -> Path:
        """All files are there: take away those of an earlier state that the export has no more, write SHA256SUMS in
        order, and make the zip, where one is wanted."""
        for name in self._sums.keys() - self._listed.keys():
            self._path(name).unlink(missing_ok=True)
        for left in (*self.home.glob(f"*{_PART}"), *self.home.glob(f"*/*{_PART}")):
            left.unlink()
        part = self.home / (SUMS + _PART)
        part.write_text(
            "".join(f"{digest}  {name}\n" for name, digest in sorted(self._listed.items())), encoding="utf-8"
        )
        os.replace(part, self.home / SUMS)
        if self._zip:
            self._pack()
        return self._to

    def _pack(self) -> None:
        part = self._to.with_name(self._to.name + ".zip" + _PART)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in (*sorted(self._listed), SUMS):
                told = zipfile.ZipInfo(f"{self._to.stem}/{name}", (1980, 1, 1, 0, 0, 0))  # the same bytes each time
                told.create_system, told.external_attr = 3, 0o644 << 16
                told.compress_type = zipfile.ZIP_STORED if name.endswith(_PACKED) else zipfile.ZIP_DEFLATED
                with open(self.home / name, "rb") as file, archive.open(told, "w", force_zip64=True) as place:
                    shutil.copyfileobj(file, place, _CHUNK)
        os.replace(part, self._to)
        shutil.rmtree(self.home)

    def _finished(self) -> dict[str, str]:
        """What an earlier attempt finished; a last line that was cut short says nothing."""
        try:
            lines = (self.home / SUMS).read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        whole = [_LINE.fullmatch(line[:-1]) for line in lines if line.endswith("\n")]
        found = {match[2]: match[1] for match in whole if match and _NAME.fullmatch(match[2])}
        if lines and not lines[-1].endswith("\n"):
            (self.home / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in found.items()))
        return found

    def _path(self, name: str) -> Path:
        """Raises HilumError for a name that would lead elsewhere, whoever says it."""
        path = self.home / name
        if not _NAME.fullmatch(name) or name == SUMS or name.endswith(_PART) or path.parent.is_symlink():
            raise HilumError("INTERNAL", "the service named a file that no export has; nothing was written")
        return path


class Writing:
    """A file on its way into a folder."""

    def __init__(self, folder: Folder, name: str, path: Path, digest: str, same: bool) -> None:
        self._folder, self._name, self._path, self._digest = folder, name, path, digest
        self._part, self._found = path.with_name(path.name + _PART), hashlib.sha256()
        self._file = None if same else open(self._part, "wb")  # noqa: SIM115 - closed by `end`

    def add(self, chunk: bytes) -> None:
        if self._file is not None:
            self._found.update(chunk)
            self._file.write(chunk)

    def end(self) -> None:
        """Put it in its place. Raises HilumError: UNAVAILABLE when it came damaged."""
        if self._file is None:
            self._folder.keep(self._name)
            return
        self._file.close()
        if self._found.hexdigest() != self._digest:
            self._part.unlink()
            raise HilumError("UNAVAILABLE", "a file came damaged; give the same command again, and it goes on")
        os.replace(self._part, self._path)
        self._folder._written(self._name, self._digest)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
