"""Qdrant's Snapshots service: a consistent copy of one collection as a tar file in the data directory."""

# ruff: noqa: N802 - the method names are the API's
from __future__ import annotations

import hashlib
import json
import secrets
import tarfile
import time
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from qdrant_client.grpc import snapshots_service_pb2 as pb
from qdrant_client.grpc import snapshots_service_pb2_grpc

from .catalog import Catalog
from .errors import not_found, rpc
from .files import copy_tree, disk_usage, remove_tree, replace_file, require_space, sync


class Snapshots(snapshots_service_pb2_grpc.SnapshotsServicer):
    """Snapshots of single collections. Full snapshots are not defined and answer UNIMPLEMENTED."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def _folder(self, collection: str) -> Path:
        return self._catalog.directory / "snapshots" / self._catalog.entry(collection).folder

    @rpc
    def Create(self, request: pb.CreateSnapshotRequest, context: Any) -> pb.CreateSnapshotResponse:
        folder = self._folder(request.collection_name)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}.snapshot"
        path = self._write(request.collection_name, folder, name)
        return pb.CreateSnapshotResponse(snapshot_description=_describe(path))

    def _write(self, collection: str, folder: Path, name: str) -> Path:
        shard, entry = self._catalog.shard(collection), self._catalog.entry(collection)
        require_space(folder, 2 * disk_usage(shard.path))
        copy, part = folder / f"{name}.dir", folder / f"{name}.part"
        try:
            with shard.writes_paused():
                shard.flush()
                copy_tree(shard.path, copy)
            with tarfile.open(part, "w:gz", compresslevel=1) as tar:
                _add_text(tar, "collection.json", json.dumps(asdict(entry)))
                tar.add(copy, "shard")
            sync(part)
            replace_file(folder / f"{name}.sha256", _sha256(part).encode())
            part.rename(folder / name)
            sync(folder)
        finally:
            remove_tree(copy)
            part.unlink(missing_ok=True)
        return folder / name

    @rpc
    def List(self, request: pb.ListSnapshotsRequest, context: Any) -> pb.ListSnapshotsResponse:
        found = sorted(self._folder(request.collection_name).glob("*.snapshot"))
        return pb.ListSnapshotsResponse(snapshot_descriptions=[_describe(path) for path in found])

    @rpc
    def Delete(self, request: pb.DeleteSnapshotRequest, context: Any) -> pb.DeleteSnapshotResponse:
        folder = self._folder(request.collection_name)
        known = {path.name: path for path in folder.glob("*.snapshot")}
        if request.snapshot_name not in known:
            raise not_found("no snapshot of that name")
        known[request.snapshot_name].unlink()
        (folder / f"{request.snapshot_name}.sha256").unlink(missing_ok=True)
        return pb.DeleteSnapshotResponse()


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(text.encode())
    tar.addfile(member, BytesIO(text.encode()))


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(path: Path) -> pb.SnapshotDescription:
    stat = path.stat()
    description = pb.SnapshotDescription(name=path.name, size=stat.st_size)
    description.creation_time.FromSeconds(int(stat.st_mtime))
    checksum = path.with_name(f"{path.name}.sha256")
    if checksum.exists():
        description.checksum = checksum.read_text()
    return description
