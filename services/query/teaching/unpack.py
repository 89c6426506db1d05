"""Zips from strangers: read in memory and in bounds, by names within them; nothing is written to a path of theirs."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from io import BytesIO

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.limits import MAX_UPLOAD_BYTES

_MOST_ENTRIES = 2_000
_MOST_BYTES = 512 * 2**20  # of all that is read


class Unpacked:
    """The files of a zip, or one file that is none. Raises INVALID_ARGUMENT, PAYLOAD_TOO_LARGE."""

    def __init__(self, data: bytes) -> None:
        if not data:
            raise invalid("the file is empty; send a MIRCdocument: XML, or a zip with it and its pictures")
        self._zip, self._left = None, _MOST_BYTES
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._alone = data
        if data[:4] != b"PK\x03\x04":
            return
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
            entries = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, RecursionError, EOFError):
            raise invalid("the zip is damaged; export it again") from None
        if len(entries) > _MOST_ENTRIES:
            raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"the zip has more than {_MOST_ENTRIES} files")
        for entry in entries:
            if not entry.is_dir() and (name := within("", entry.filename)):
                self._entries.setdefault(name, entry)

    @property
    def names(self) -> list[str]:
        """Names of files; a single file that is no zip has the empty one."""
        return sorted(self._entries) if self._zip else [""]

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is none of this name, or it cannot be unpacked.

        Raises PAYLOAD_TOO_LARGE for what is more than a film, or more than all of it may be, when unpacked.
        """
        if not self._zip:
            return None if name else self._alone
        if name not in self._entries:
            return None
        most = min(MAX_UPLOAD_BYTES, self._left)
        try:
            with self._zip.open(self._entries[name]) as file:
                data = file.read(most + 1)  # what the zip says of sizes is not believed
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError):
            return None
        if len(data) > most:
            raise HilumError(
                ErrorCode.PAYLOAD_TOO_LARGE, "the zip holds more than may be unpacked; send less at a time"
            )
        self._left -= len(data)
        return data


def within(folder: str, name: str) -> str:
    """A name relative to `folder` of the zip, made plain; empty for one that leads out of it or elsewhere."""
    name = name.replace("\\", "/")
    if name.startswith("/") or "\0" in name or ":" in name:
        return ""
    plain = posixpath.normpath(posixpath.join(folder, name))
    return "" if plain.startswith("../") or plain in ("..", ".") else plain
