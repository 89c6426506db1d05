"""Vectors as analyses have pulled them from the engine, kept as Arrow so that the next analysis of the same films does
not pull them again.

    DATA/pulled/<fingerprint>-<films>-<state>.arrow     image_id: string, vector: fixed_size_list<float>[D], one batch

A name says what is inside: the encoder, the films, and what each vector was made from and when it was written. Vectors
are as confidential as films: folder and files are their owner's alone, whoever forgets a patient drops all of them, and
together they keep below a bound by dropping what was used longest ago.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError

_BESIDES = 5  # bytes for each id, and some thousand for the file


@dataclass(frozen=True, slots=True)
class Key:
    """fingerprint: of the encoder.  films: digest of the ids, in order.  state: digest of what their vectors were made
    from, and when."""

    fingerprint: str
    films: str
    state: str

    @property
    def name(self) -> str:
        return f"{self.fingerprint[:16]}-{self.films[:24]}-{self.state[:24]}.arrow"


@dataclass(frozen=True, slots=True)
class Pulled:
    """The files in `folder`, `bound` bytes of them at most. Safe between threads and processes: files come and go
    whole, and one that is dropped stays readable for whoever has it mapped."""

    folder: Path
    bound: int

    @classmethod
    def at(cls, data_dir: Path, bound: int) -> Pulled:
        """The installation's."""
        return cls(data_dir / "pulled", bound)

    def get(self, key: Key) -> NDArray[np.float32] | None:
        """(N, D) float32 as they were put, mapped from the file; what is written to them stays in memory. None where
        they are not kept, or damaged and now gone."""
        path = self.folder / key.name
        try:
            found = _mapped(path)
            os.utime(path)
        except (OSError, ValueError, pa.ArrowException):
            path.unlink(missing_ok=True)
            return None
        return found

    def put(self, key: Key, ids: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Keep (N, D) float32 vectors, instead of what was kept of the same films before; as `get` gives them. None
        where they are larger than the bound. Raises RESOURCE_EXHAUSTED for a full disk."""
        size = vectors.nbytes + sum(map(len, ids)) + _BESIDES * (len(ids) + 1024)
        if size > self.bound:
            return None
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._drop_older(key)
        self._room(self.bound - size)
        part = self.folder / f".{key.name}.{os.urandom(4).hex()}.part"
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                _write(file, ids, vectors)
                file.flush()
            part.replace(self.folder / key.name)
        except OSError as error:
            part.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise HilumError(
                    ErrorCode.RESOURCE_EXHAUSTED,
                    "the disk of the data folder is full; make room, or set HILUM_VECTOR_CACHE=0",
                ) from None
            raise
        return self.get(key)

    def drop(self) -> int:
        """Remove every file; how many there were."""
        files = self._files()
        for path in files:
            path.unlink(missing_ok=True)
        return len(files)

    def count(self) -> int:
        """How many files there are."""
        return len(self._files())

    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size, _ in self._kept())

    def _files(self) -> list[Path]:
        return sorted(self.folder.iterdir()) if self.folder.is_dir() else []

    def _kept(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._files():
            with contextlib.suppress(OSError):
                about = path.stat()
                found.append((about.st_mtime, about.st_size, path))
        return sorted(found)

    def _drop_older(self, key: Key) -> None:
        """Vectors of the same films that were written since are of no more use."""
        for path in self.folder.glob(f"{key.fingerprint[:16]}-{key.films[:24]}-*.arrow"):
            if path.name != key.name:
                path.unlink(missing_ok=True)

    def _room(self, most: int) -> None:
        """Drop what was used longest ago until `most` bytes are left."""
        kept = self._kept()
        total = sum(size for _, size, _ in kept)
        for _, size, path in kept:
            if total <= most:
                return
            path.unlink(missing_ok=True)
            total -= size


def read(path: Path) -> pa.Table:
    """A file's films and vectors: image_id and vector."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _write(file: object, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    batch = pa.record_batch([pa.array(ids, pa.string()), column], names=["image_id", "vector"])
    with pa.ipc.new_file(file, batch.schema) as out:
        out.write_batch(batch)


def _mapped(path: Path) -> NDArray[np.float32]:
    """The numbers where they lie in the file: Arrow's own arrays are read-only, which compiled code does not take."""
    with pa.memory_map(str(path)) as source:
        whole = source.read_buffer()
        batch = pa.ipc.open_file(source).get_batch(0)
        column = batch.column("vector")
        width = column.type.list_size
        start = column.flatten().buffers()[1].address - whole.address
    return np.memmap(path, np.float32, "c", start, (batch.num_rows, width))
