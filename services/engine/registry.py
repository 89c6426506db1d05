"""The registry: which collections exist, how they are configured, where their live generation lies, and aliases.

One JSON file with a checksum, replaced as a whole, and a second copy written after it. A torn or altered file is
detected and the copy used; with both gone and data present the engine refuses to start rather than forget anything.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .files import replace_file

log = logging.getLogger("hilum.engine")
FORMAT = 1


class RegistryBrokenError(RuntimeError):
    """Neither copy of the registry can be read, yet the directory holds collections."""


@dataclass
class Entry:
    """One collection. `config` and `indexes` hold protobuf JSON; `folder` is a random name, never the client's."""

    folder: str
    generation: str
    config: dict[str, Any]
    indexes: dict[str, dict[str, Any]] = field(default_factory=dict)
    indexed_points: int = 0


@dataclass
class Registry:
    """The registry of one data directory. Change it, then `save()`; only then is the change real."""

    directory: Path
    collections: dict[str, Entry] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[Path, Path]:
        """The registry and its copy."""
        return self.directory / "registry.json", self.directory / "registry.copy.json"

    @classmethod
    def open(cls, directory: Path) -> Registry:
        """Read the registry, from the copy if need be. Raises RegistryBrokenError if data would be orphaned."""
        registry = cls(directory)
        for path in registry.paths:
            body = _read(path)
            if body is not None:
                registry.collections = {name: Entry(**entry) for name, entry in body["collections"].items()}
                registry.aliases = dict(body["aliases"])
                return registry
            if path.exists():
                log.warning("%s is torn or altered", path.name)
        if any(path.exists() for path in registry.paths) or any((directory / "collections").glob("*")):
            raise RegistryBrokenError(
                "registry.json and its copy cannot be read but the directory holds collections: "
                "restore registry.json from a backup, or move the directory away to start empty"
            )
        return registry

    def save(self) -> None:
        """Make the present state the durable one."""
        body = {"collections": {n: asdict(e) for n, e in self.collections.items()}, "aliases": self.aliases}
        text = json.dumps(body, sort_keys=True)
        document = {"format": FORMAT, "sha256": hashlib.sha256(text.encode()).hexdigest(), "body": body}
        data = json.dumps(document, sort_keys=True).encode()
        first, second = self.paths
        replace_file(first, data)
        try:
            replace_file(second, data)
        except OSError as error:
            log.error("%s could not be written (%s)", second.name, type(error).__name__)


def _read(path: Path) -> dict[str, Any] | None:
    """The body of one copy, or None if it is absent, torn or altered."""
    try:
        document = json.loads(path.read_bytes())
        text = json.dumps(document["body"], sort_keys=True)
        whole = document["sha256"] == hashlib.sha256(text.encode()).hexdigest() and document["format"] == FORMAT
        return document["body"] if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
