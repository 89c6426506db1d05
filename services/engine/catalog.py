"""The data directory: every collection and alias, opened once, changed through the registry.

Layout: `LOCK`, `registry.json` (+ copy), `collections/<folder>/<generation>/shard/` (Edge),
`snapshots/<folder>/`. Whatever the registry does not name is left over from a crash and deleted at start.
"""

from __future__ import annotations

import logging
import secrets
import threading
from pathlib import Path
from typing import Any

import grpc
import qdrant_edge as edge
from google.protobuf import json_format
from qdrant_client.grpc import collections_pb2, points_pb2

from .convert.schema import check_create, edge_config
from .errors import EngineError, invalid, not_found
from .files import DirectoryLock, remove_tree, require_space, sync
from .registry import Entry, Registry
from .shard import Shard

log = logging.getLogger("hilum.engine")


class Catalog:
    """Everything one engine process owns."""

    def __init__(self, directory: Path) -> None:
        """Lock and open a data directory. Raises DirectoryBusyError or RegistryBrokenError, with what to do."""
        self.directory = directory
        self._lock = DirectoryLock(directory)
        self.guard = threading.RLock()
        try:
            self.registry = Registry.open(directory)
            self._sweep()
        except BaseException:
            self._lock.release()
            raise
        self._shards: dict[str, Shard] = {}
        self._unsaved = False
        for name, entry in self.registry.collections.items():
            self._open(name, entry)

    def _open(self, name: str, entry: Entry) -> None:
        """One collection that cannot be opened does not keep the others from being served."""
        try:
            path = self.generation_path(entry, entry.generation) / "shard"
            self._shards[name] = Shard(path, self.config(entry), entry.indexed_points)
        except Exception as error:
            log.error("collection in folder %s cannot be opened (%s)", entry.folder, type(error).__name__)

    def _sweep(self) -> None:
        keep = {entry.folder: entry.generation for entry in self.registry.collections.values()}
        for folder in (self.directory / "collections").glob("*"):
            if folder.name not in keep:
                remove_tree(folder)
                continue
            for generation in folder.iterdir():
                if generation.name != keep[folder.name]:
                    remove_tree(generation)
        for folder in (self.directory / "snapshots").glob("*"):
            if folder.name not in keep:
                remove_tree(folder)
            for part in folder.glob("*.part"):
                part.unlink()

    @staticmethod
    def config(entry: Entry) -> collections_pb2.CreateCollection:
        """The configuration a collection was created with."""
        return json_format.ParseDict(entry.config, collections_pb2.CreateCollection())

    def generation_path(self, entry: Entry, generation: str) -> Path:
        """Where a generation of a collection lies."""
        return self.directory / "collections" / entry.folder / generation

    def resolve(self, name: str) -> str:
        """The collection behind a name or alias. NOT_FOUND if there is none.

        Takes no lock, so that no read waits for a registry being written: dicts are replaced or changed in one step.
        """
        target = self.registry.aliases.get(name, name)
        if target not in self.registry.collections:
            raise not_found(f"Collection `{name}` doesn't exist!")
        return target

    def shard(self, name: str) -> Shard:
        """The shard behind a name or alias."""
        found = self._shards.get(self.resolve(name))
        if found is None:
            raise EngineError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"collection `{name}` cannot be opened: its files are damaged; restore it from a snapshot or delete it",
            )
        return found

    def entry(self, name: str) -> Entry:
        """The registry's entry behind a name or alias."""
        found = self.registry.collections.get(self.resolve(name))
        if found is None:
            raise not_found(f"Collection `{name}` doesn't exist!")
        return found

    def opened(self) -> list[tuple[str, Shard]]:
        """Every open collection by name."""
        return list(self._shards.items())

    def create(self, message: collections_pb2.CreateCollection) -> None:
        """Create a collection. ALREADY_EXISTS if its name is taken by one or by an alias."""
        check_create(message)
        require_space(self.directory)
        with self.guard:
            name = message.collection_name
            if name in self.registry.collections or name in self.registry.aliases:
                raise EngineError(grpc.StatusCode.ALREADY_EXISTS, f"Collection `{name}` already exists!")
            entry = Entry(secrets.token_hex(8), secrets.token_hex(4), json_format.MessageToDict(message))
            path = self.generation_path(entry, entry.generation) / "shard"
            path.mkdir(parents=True)
            shard = edge.EdgeShard.create(str(path), edge_config(message))
            shard.flush()
            shard.close()
            for folder in (path, *list(path.parents)[:3]):
                sync(folder)
            self.adopt(name, entry)

    def adopt(self, name: str, entry: Entry) -> None:
        """Take in a collection whose files are in place and on disk already."""
        with self.guard:
            path = self.generation_path(entry, entry.generation) / "shard"
            self._shards[name] = Shard(path, self.config(entry), entry.indexed_points)
            self.registry.collections[name] = entry
            self.registry.save()

    def delete(self, name: str) -> bool:
        """Delete a collection and the aliases that name it; False if there is none of this name."""
        with self.guard:
            entry = self.registry.collections.pop(name, None)
            if entry is None:
                return False
            self.registry.aliases = {a: c for a, c in self.registry.aliases.items() if c != name}
            self.registry.save()
            shard = self._shards.pop(name, None)
        folder = self.directory / "collections" / entry.folder
        if shard is not None:
            shard.retire(lambda: remove_tree(folder))
        else:
            remove_tree(folder)
        remove_tree(self.directory / "snapshots" / entry.folder)
        return True

    def change_aliases(self, actions: list[collections_pb2.AliasOperations]) -> None:
        """Apply alias actions as one: all of them, or none."""
        with self.guard:
            aliases = dict(self.registry.aliases)
            for action in actions:
                self._change_alias(aliases, action)
            self.registry.aliases = aliases
            self.registry.save()

    def _change_alias(self, aliases: dict[str, str], action: collections_pb2.AliasOperations) -> None:
        kind = action.WhichOneof("action")
        if kind == "create_alias":
            create = action.create_alias
            if create.alias_name in self.registry.collections or not create.alias_name:
                raise EngineError(
                    grpc.StatusCode.ALREADY_EXISTS, f"the name `{create.alias_name}` is taken by a collection"
                )
            if create.collection_name not in self.registry.collections:
                raise not_found(f"Collection `{create.collection_name}` doesn't exist!")
            aliases[create.alias_name] = create.collection_name
        elif kind == "delete_alias":
            aliases.pop(action.delete_alias.alias_name, None)
        elif kind == "rename_alias":
            rename = action.rename_alias
            if rename.old_alias_name not in aliases:
                raise not_found(f"Alias {rename.old_alias_name} does not exists!")
            if rename.new_alias_name in self.registry.collections or not rename.new_alias_name:
                raise EngineError(grpc.StatusCode.ALREADY_EXISTS, "the new alias name is taken by a collection")
            aliases[rename.new_alias_name] = aliases.pop(rename.old_alias_name)
        else:
            raise invalid("an alias action is empty")

    def has_index(self, name: str, message: points_pb2.CreateFieldIndexCollection) -> bool:
        """Whether the very same payload index is there already."""
        return self.entry(name).indexes.get(message.field_name) == _definition(message)

    def remember_index(
        self, name: str, message: points_pb2.CreateFieldIndexCollection | None, field: str, durable: bool = True
    ) -> None:
        """Note that a payload field is indexed, or with None that it no longer is. What is not to be durable yet is so
        from the next change on that is, or from `settle` on."""
        with self.guard:
            indexes = self.entry(name).indexes
            indexes.pop(field, None)
            if message is not None:
                indexes[field] = _definition(message)
            self._unsaved = not durable
            if durable:
                self.registry.save()

    def settle(self) -> None:
        """Make durable what was noted without."""
        with self.guard:
            if self._unsaved:
                self.registry.save()
                self._unsaved = False

    def point_to(self, name: str, shard: Shard, generation: str, indexed_points: int) -> bool:
        """Make another generation the one that counts after a restart. False if the collection is gone."""
        with self.guard:
            if self._shards.get(name) is not shard:
                return False
            entry = self.registry.collections[name]
            entry.generation, entry.indexed_points = generation, indexed_points
            self.registry.save()
            return True

    def close(self) -> None:
        """Flush and close everything and give the directory up."""
        for _, shard in self.opened():
            shard.close()
        self._shards.clear()
        self._lock.release()


def _definition(message: points_pb2.CreateFieldIndexCollection) -> dict[str, Any]:
    """What an index is, without how it was asked for."""
    bare = points_pb2.CreateFieldIndexCollection(field_name=message.field_name)
    if message.HasField("field_type"):
        bare.field_type = message.field_type
    if message.HasField("field_index_params"):
        bare.field_index_params.CopyFrom(message.field_index_params)
    return json_format.MessageToDict(bare)
