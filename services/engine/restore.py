"""`python -m services.engine.restore --dir DIR --snapshot FILE --name NAME`: make a collection of a snapshot.

Runs while the engine is stopped (it takes the directory's lock). The name must be free.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
import tarfile
from pathlib import Path

from .catalog import Catalog
from .files import DirectoryBusyError, remove_tree, require_space, sync_tree
from .registry import Entry, RegistryBrokenError


class SnapshotBrokenError(RuntimeError):
    """The file is not a whole snapshot."""


def restore(directory: Path, snapshot: Path, name: str) -> int:
    """Unpack `snapshot` as the collection `name`; returns how many points it holds.

    Raises SnapshotBrokenError (altered, cut short, not a snapshot), ValueError (name taken), DirectoryBusyError.
    """
    check_whole(snapshot)
    catalog = Catalog(directory)
    path = None
    try:
        if name in catalog.registry.collections or name in catalog.registry.aliases:
            raise ValueError(f"the name {name} is taken: delete that collection first, or choose another name")
        require_space(directory, 2 * snapshot.stat().st_size)
        folder = secrets.token_hex(8)
        path = directory / "collections" / folder
        entry = unpack(snapshot, path / "unpacked", folder)
        (path / "unpacked").rename(path / entry.generation)
        sync_tree(path.parent)
        entry.config["collectionName"] = name
        catalog.adopt(name, entry)
        path = None
        return catalog.shard(name).points()
    finally:
        if path is not None:
            remove_tree(path)
        catalog.close()


def check_whole(snapshot: Path) -> None:
    """Compare a snapshot with the checksum written beside it."""
    checksum = snapshot.with_name(f"{snapshot.name}.sha256")
    if not snapshot.exists() or not checksum.exists():
        raise SnapshotBrokenError("the snapshot or its .sha256 file beside it is missing")
    with open(snapshot, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != checksum.read_text().strip():
            raise SnapshotBrokenError("the snapshot does not match its checksum: it was altered or cut short")


def unpack(snapshot: Path, target: Path, folder: str) -> Entry:
    """Unpack into `target`; returns the registry entry it was taken with, under its new folder."""
    target.mkdir(parents=True)
    try:
        with tarfile.open(snapshot) as tar:
            tar.extractall(target, filter="data")  # refuses links and paths that lead outside
        saved = json.loads((target / "collection.json").read_text())
        return Entry(**(saved | {"folder": folder}))
    except (tarfile.TarError, OSError, ValueError, TypeError) as error:
        raise SnapshotBrokenError(f"the file is not a snapshot of this engine ({type(error).__name__})") from error


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="services.engine.restore", description=__doc__)
    parser.add_argument("--dir", required=True, type=Path)
    parser.add_argument("--snapshot", required=True, type=Path)
    parser.add_argument("--name", required=True)
    args = parser.parse_args()
    try:
        points = restore(args.dir, args.snapshot, args.name)
    except (SnapshotBrokenError, DirectoryBusyError, RegistryBrokenError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"collection": args.name, "points": points}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
