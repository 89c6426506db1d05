"""Files: pictures and runs through fsspec, so that a folder on a laptop can become an object store."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from services.core.errors import ErrorCode, HilumError


class Blobs:
    """Content-addressed pictures under one root (a folder or any fsspec URL)."""

    def __init__(self, root: str | Path) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(str(root))

    def put(self, data: bytes) -> str:
        """Store `data` durably and return its sha256. The same bytes twice are one file; a torn write is never seen."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        if not self._fs.exists(path):
            self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            part = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.part"
            try:
                self._write(part, data)
                self._fs.mv(part, path)
            except BaseException:  # a full disk: leave no half a file behind
                if self._fs.exists(part):
                    self._fs.rm_file(part)
                raise
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes stored under `digest`. Raises NOT_FOUND."""
        try:
            data: bytes = self._fs.cat_file(self._path(digest))
        except FileNotFoundError:
            raise HilumError(ErrorCode.NOT_FOUND, "this picture is not stored; ingest the film again") from None
        return data

    def holds(self, digest: str) -> bool:
        """Is there a picture of this name?"""
        return bool(self._fs.exists(self._path(digest)))

    def delete(self, digest: str) -> None:
        """Remove a picture; removing what is not there is no error."""
        if self._fs.exists(self._path(digest)):
            self._fs.rm_file(self._path(digest))

    def _write(self, path: str, data: bytes) -> None:
        with self._fs.open(path, "wb") as file:
            file.write(data)
            if isinstance(self._fs, LocalFileSystem):  # an object store acknowledges whole objects by itself
                file.flush()
                os.fsync(file.fileno())

    def _path(self, digest: str) -> str:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise HilumError(ErrorCode.NOT_FOUND, "no such picture")
        return f"{self._root}/{digest[:2]}/{digest}"
