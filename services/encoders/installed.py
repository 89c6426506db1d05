"""The encoders in a folder of installed ones: found without loading any, loaded only as they were added."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from services.core.errors import ErrorCode, HilumError
from services.encoders.base import Encoder
from services.encoders.manifest import FILE, Manifest, name_of, place, read

_CHECKED_WHEN_LOADED = 64 * 2**20  # bytes; of larger files, which are weights, the specification holds the digest


@dataclass(frozen=True, slots=True)
class Installed:
    """home: the folder of the manifest, and of the files unless they were left in place."""

    home: Path
    manifest: Manifest

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return Path(self.manifest.folder) if self.manifest.folder else self.home

    def load(self, lend: Callable[[str], Encoder] | None = None) -> Encoder:
        """The encoder that was added, and no other. lend: as for `Checkpoint`.

        Raises FAILED_PRECONDITION when anything about it has changed.
        """
        from services.encoders.families import load
        from services.encoders.network import Checkpoint

        m = self.manifest
        if any(changed(self, path, small=True) for path in m.files):
            raise _changed(m.name)
        encoder = load(m.family, Checkpoint(self.folder, m.name, m.origin.revision, m.options, lend))
        if encoder.spec != m.spec:
            raise _changed(m.name)
        return encoder


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a folder holds. damaged: name → why it cannot be used; it costs the others nothing."""

    models: dict[str, Installed] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)


def scan(folder: Path) -> Shelf:
    """Every installed encoder below `folder`, in alphabetical order; none when the folder is not there."""
    shelf = Shelf()
    for home in _homes(folder):
        try:
            manifest = read(home)
            if manifest.name != home.name:
                raise HilumError(ErrorCode.FAILED_PRECONDITION, "its folder has another name than its manifest")
            shelf.models[home.name] = Installed(home, manifest)
        except HilumError as error:
            shelf.damaged[home.name] = error.client_message
    return shelf


def changed(model: Installed, path: str, small: bool = False) -> str:
    """How the file `path` differs from what was added; empty when it does not. small: hash no large files."""
    recorded = model.manifest.files[path]
    try:
        real = place(model.folder, path)
        size = real.stat().st_size
        if size != recorded.size:
            return "another size"
        if small and size > _CHECKED_WHEN_LOADED:
            return ""
        with real.open("rb") as file:
            return "" if hashlib.file_digest(file, "sha256").hexdigest() == recorded.sha256 else "other bytes"
    except OSError:
        return "missing or not readable"
    except HilumError as error:
        return error.client_message


def remove(folder: Path, name: str) -> int:
    """Forget the encoder and delete its files, unless they were added in place; how many bytes that freed.

    Films keep their vectors. Raises UNKNOWN_MODEL.
    """
    home = folder / name_of(name)
    if home.is_symlink() or not (home / FILE).exists():
        raise HilumError(ErrorCode.UNKNOWN_MODEL, "no such encoder is installed; see `hilum models list`")
    size = sum(file.lstat().st_size for file in home.rglob("*") if not file.is_dir())
    shutil.rmtree(home)
    return size


def _homes(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return
    for home in found:
        if not home.name.startswith(".") and os.path.exists(home / FILE):
            yield home


def _changed(name: str) -> HilumError:
    return HilumError(
        ErrorCode.FAILED_PRECONDITION, f"{name} has changed since it was added; run `hilum models verify {name}`"
    )
