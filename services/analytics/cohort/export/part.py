"""A file of an export, before it is anywhere: its name, what it is, and how its bytes are made."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from services.core.errors import ErrorCode, HilumError

CHUNK = 2**20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,120})?")


@dataclass(frozen=True)
class Part:
    """name: with at most one folder.  about: what the README says of it.  write: puts its bytes into a file, the same
    bytes for the same cohort.  each: one of many of its kind (pictures), which are told of together."""

    name: str
    about: str
    write: Callable[[BinaryIO], None]
    each: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):  # names come from us and from ids, never from what a dataset says
            raise HilumError(ErrorCode.INTERNAL, "an export has no such file")


@dataclass(frozen=True)
class Spooled:
    """A part that is made. The file has no name on disk: whatever ends this process, nothing is left of it."""

    part: Part
    sha256: str
    size: int
    file: BinaryIO

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, a mebibyte at a time; then it is gone."""
        with self.file:
            self.file.seek(0)
            while data := self.file.read(CHUNK):
                yield data


def spool(part: Part) -> Spooled:
    """Make a part."""
    file = tempfile.SpooledTemporaryFile(max_size=CHUNK, mode="w+b")  # noqa: SIM115 - closed by `chunks`
    part.write(file)
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while data := file.read(CHUNK):
        digest.update(data)
        size += len(data)
    return Spooled(part, digest.hexdigest(), size, file)


def text(content: str) -> Callable[[BinaryIO], None]:
    """Writes this text as UTF-8."""
    return lambda file: file.write(content.encode()) and None
