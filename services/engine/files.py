"""Files that survive a crash: whole-file replacement, directory syncs, the lock of the data directory."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

_CHUNK = 1 << 22


# Edge maps preallocated files into memory: where the disk is full, touching a new page kills the process.
RESERVE_BYTES = 256 * 1024 * 1024


class DiskFullError(OSError):
    """Too little disk is left to write safely."""


def require_space(directory: Path, needed: int = 0) -> None:
    """Raises DiskFullError unless `needed` bytes and the reserve are free where `directory` lies."""
    stat = os.statvfs(directory)
    if stat.f_bavail * stat.f_frsize < needed + RESERVE_BYTES:
        raise DiskFullError("the disk is nearly full: free some space, or move the data directory, and try again")


def disk_usage(root: Path) -> int:
    """Bytes that the files below `root` occupy, holes left out."""
    return sum(Path(folder, name).stat().st_blocks * 512 for folder, _, names in os.walk(root) for name in names)


class DirectoryBusyError(RuntimeError):
    """Another process owns the data directory."""


class DirectoryLock:
    """An exclusive lock on a data directory, held until `release` or the end of the process, however it ends."""

    def __init__(self, directory: Path) -> None:
        """Raises DirectoryBusyError, naming the owner's process id, if the directory is owned already."""
        directory.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(directory / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise DirectoryBusyError(
                f"the data directory is in use by process {owner}: stop it, or choose another directory"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the directory up."""
        os.close(self._fd)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a crash leaves the old file or the new one, never a part."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """fsync one file or directory."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_tree(root: Path) -> None:
    """fsync every file and directory below `root`, and `root` itself."""
    for folder, _, names in os.walk(root):
        for name in names:
            sync(Path(folder, name))
        sync(Path(folder))


def remove_tree(path: Path) -> None:
    """Delete a directory if it is there. What cannot be deleted now is tried again at the next start."""
    shutil.rmtree(path, ignore_errors=True)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a shard directory. Holes of its preallocated log stay holes where the system can tell them."""
    for folder, _, names in os.walk(source):
        into = target / Path(folder).relative_to(source)
        into.mkdir(parents=True, exist_ok=True)
        for name in names:
            _copy_file(Path(folder, name), into / name)


def _copy_file(source: Path, target: Path) -> None:
    if not hasattr(os, "SEEK_DATA"):
        shutil.copyfile(source, target)
        return
    with open(source, "rb") as src, open(target, "wb") as out:
        end = os.fstat(src.fileno()).st_size
        out.truncate(end)
        position = 0
        while position < end:
            try:
                start = os.lseek(src.fileno(), position, os.SEEK_DATA)
            except OSError:
                break  # only a hole is left
            position = os.lseek(src.fileno(), start, os.SEEK_HOLE)
            src.seek(start)
            out.seek(start)
            while start < position and (chunk := src.read(min(_CHUNK, position - start))):
                out.write(chunk)
                start += len(chunk)
