"""Writes that arrive while a copy of the shard is being indexed, kept in order in a file to be replayed on it.

The file needs no durability: if the process dies, the old generation, which has every write, is the live one.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from .convert.updates import KINDS, Update

_HEAD = struct.Struct("<BI")
_NAMES = list(KINDS)


class Journal:
    """An append-only file of updates with one reader that follows behind."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "w+b")  # noqa: SIM115 - closed by close()
        self._end = self._read = 0
        self._pending = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Updates not yet taken."""
        return self._pending

    def append(self, update: Update) -> None:
        """Record one write."""
        body = update.message.SerializeToString()
        with self._lock:
            self._file.seek(self._end)
            self._file.write(_HEAD.pack(_NAMES.index(update.kind), len(body)) + body)
            self._end = self._file.tell()
            self._pending += 1

    def take(self) -> Iterator[Update]:
        """The updates not yet taken, oldest first, those that arrive meanwhile included."""
        while (update := self._next()) is not None:
            yield update

    def _next(self) -> Update | None:
        with self._lock:
            if self._read >= self._end:
                return None
            self._file.seek(self._read)
            kind, size = _HEAD.unpack(self._file.read(_HEAD.size))
            body = self._file.read(size)
            self._read += _HEAD.size + size
            self._pending -= 1
        return Update(_NAMES[kind], KINDS[_NAMES[kind]].message.FromString(body))

    def close(self) -> None:
        """Close the file; its directory is deleted by the caller."""
        self._file.close()
