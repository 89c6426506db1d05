"""Taking films out of an engine without a trace, by collection name: also from those whose encoder nobody knows now."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from functools import partial

from qdrant_client import QdrantClient, models
from qdrant_client import grpc as wire
from qdrant_client.conversions.conversion import RestToGrpc

from services.core.store.connection import Connection
from services.core.store.retry import READ_PATIENCE, WRITE_PATIENCE

PREFIX = "cxr."  # of every collection of ours
_PAGE = 5_000
_PURGE_SECONDS = 6 * 3600.0  # a large collection is written anew as a whole
_BULK_SECONDS = 60.0


class Erasing(Connection):
    """Nothing here needs a ModelSpec."""

    def ours(self) -> list[str]:
        """Names of our collections, whichever fingerprint they are of."""
        return [name for name in self._collections() if name.startswith(PREFIX)]

    def ids_in(self, collection: str, where: models.Filter | None = None) -> Iterator[list[str]]:
        """Ids of the points that pass `where`, page by page."""
        scroll = wire.ScrollPoints(
            collection_name=collection, limit=_PAGE,
            filter=RestToGrpc.convert_filter(where) if where is not None else None,
            with_vectors=wire.WithVectorsSelector(enable=False), with_payload=wire.WithPayloadSelector(enable=False),
        )  # fmt: skip
        more = True
        while more:
            answer = self._ask(
                collection, lambda engine: engine.grpc_points.Scroll(scroll, timeout=_BULK_SECONDS), WRITE_PATIENCE
            )
            yield [point.id.uuid for point in answer.result]
            more = answer.HasField("next_page_offset")
            scroll.offset.CopyFrom(answer.next_page_offset)

    def present(self, collection: str, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that are stored."""
        found = list[str]()
        for start in range(0, len(ids), _PAGE):
            part = list(ids[start : start + _PAGE])
            get = partial(
                QdrantClient.retrieve, collection_name=collection, ids=part, with_payload=False, with_vectors=False
            )
            points = self._ask(collection, get, WRITE_PATIENCE)
            found += [str(point.id) for point in points]
        return found

    def erase(self, collection: str, ids: Sequence[str]) -> None:
        """Remove points durably; removing what is not there is no error."""
        for start in range(0, len(ids), _PAGE):
            chosen = models.PointIdsList(points=list(ids[start : start + _PAGE]))
            drop = partial(QdrantClient.delete, collection_name=collection, points_selector=chosen, wait=True)
            self._ask(collection, drop, WRITE_PATIENCE)

    def purge(self, collection: str) -> None:
        """Have the engine rewrite the files that deleted points are in, and wait for it.

        The embedded engine writes the whole collection anew. A Qdrant server is told to tolerate no deleted point, and
        its vacuum rewrites segments of 100 vectors and more; its write-ahead log turns over by itself.
        """
        asked = wire.UpdateCollection(
            collection_name=collection,
            optimizers_config=wire.OptimizersConfigDiff(deleted_threshold=0.0, vacuum_min_vector_number=100),
        )
        self._ask(
            collection, lambda engine: engine.grpc_collections.Update(asked, timeout=_PURGE_SECONDS), WRITE_PATIENCE
        )
        deadline = time.monotonic() + _PURGE_SECONDS
        while time.monotonic() < deadline:
            told = self._ask(collection, lambda engine: engine.get_collection(collection), WRITE_PATIENCE)
            if told.status == models.CollectionStatus.GREEN:
                return
            time.sleep(0.5)

    def unindex_labels(self, collection: str, stated: Collection[str]) -> int:
        """Drop the indexes of findings that are not among `stated`: a name can tell of a film; how many there were."""
        known = self._ask(collection, lambda engine: engine.get_collection(collection).payload_schema, WRITE_PATIENCE)
        fields = [name for name in known if name.startswith("labels.") and name.removeprefix("labels.") not in stated]
        for name in fields:
            drop = partial(QdrantClient.delete_payload_index, collection_name=collection, field_name=name, wait=True)
            self._ask(collection, drop, WRITE_PATIENCE)
        return len(fields)

    def drop_snapshots(self, collection: str) -> int:
        """Delete the engine's own snapshots of a collection: copies of what it held; how many there were."""
        found = self._ask(collection, lambda engine: engine.list_snapshots(collection), WRITE_PATIENCE)
        for snapshot in found:
            drop = partial(
                QdrantClient.delete_snapshot, collection_name=collection, snapshot_name=snapshot.name, wait=True
            )
            self._ask(collection, drop, WRITE_PATIENCE)
        return len(found)

    def snapshots(self, collection: str) -> int:
        """How many snapshots of a collection there are."""
        return len(self._ask(collection, lambda engine: engine.list_snapshots(collection), READ_PATIENCE))
