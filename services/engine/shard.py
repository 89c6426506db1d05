"""One collection: the live Edge shard, its writes, and what must hold while a new generation takes over.

Reads lease the live generation, so it is closed only when the last of them has returned. Writes go one at a time.
A write with `wait` returns after a flush that covers it; writers waiting together share one flush.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from qdrant_client.grpc import collections_pb2

from .convert import vectors
from .convert.schema import edge_config
from .convert.updates import Update
from .errors import from_edge, not_found
from .files import remove_tree, require_space
from .journal import Journal

log = logging.getLogger("hilum.engine")


class Generation:
    """One directory of a shard, open. Closed once retired and no longer leased."""

    def __init__(self, path: Path, shard: edge.EdgeShard) -> None:
        self.path = path
        self.edge = shard
        self._leases = 0
        self._retired: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def lease(self) -> bool:
        """Keep it open; False if it is being retired."""
        with self._lock:
            if self._retired is not None:
                return False
            self._leases += 1
            return True

    def give_back(self) -> None:
        """End a lease."""
        with self._lock:
            self._leases -= 1
            last = self._leases == 0 and self._retired is not None
        if last:
            self._end()

    def retire(self, afterwards: Callable[[], None]) -> None:
        """Close it, and run `afterwards`, as soon as nobody leases it."""
        with self._lock:
            self._retired = afterwards
            idle = self._leases == 0
        if idle:
            self._end()

    def _end(self) -> None:
        self.edge.close()
        if self._retired is not None:
            self._retired()


def open_edge(path: Path, config: collections_pb2.CreateCollection, indexed_points: int) -> edge.EdgeShard:
    """Load a shard directory; what an interrupted optimizer left in it is deleted first.

    A second thread is worth its while where there is a second segment with a graph; otherwise handing a search over to
    it costs as much CPU again as a search without a filter (0.43 ms instead of 0.22, 50,000 x 768).
    """
    remove_tree(path / "temp_segments")
    segments = sum(1 for part in (path / "segments").iterdir() if part.is_dir())
    threads = max(1, min(segments - 1, os.cpu_count() or 1))
    return edge.EdgeShard.load(str(path), edge_config(config, indexed_points, threads))


class Shard:
    """The live shard of one collection."""

    def __init__(self, path: Path, config: collections_pb2.CreateCollection, indexed_points: int) -> None:
        """Open the directory. `indexed_points`: how many points the last indexing run covered."""
        self.config = config
        self.specs = vectors.specs(config)
        self._live = Generation(path, open_edge(path, config, indexed_points))
        self._write_lock = threading.RLock()
        self._flush_lock = threading.Lock()
        self._written = self._flushed = 0
        self._journal: Journal | None = None
        self._closed = False
        self.last_write = time.monotonic()
        self.unindexed = max(0, self.points() - indexed_points)

    @property
    def closed(self) -> bool:
        """Whether the collection was closed or deleted."""
        return self._closed

    @property
    def path(self) -> Path:
        """Directory of the live generation."""
        return self._live.path

    @contextmanager
    def reading(self) -> Iterator[edge.EdgeShard]:
        """The live shard, kept open for the time of the block."""
        generation = self._live
        while not generation.lease():
            if self._closed:
                raise not_found("Collection doesn't exist!")
            generation = self._live
        try:
            yield generation.edge
        finally:
            generation.give_back()

    def points(self) -> int:
        """How many points are stored."""
        with self.reading() as shard:
            return shard.info().points_count

    def apply(self, updates: Sequence[Update], wait: bool) -> None:
        """Apply all of `updates` in order, or none if any of them is wrong. Durable on return if `wait`.

        Raises EngineError, or DiskFullError before anything is written.
        """
        operations = [update.operation(self.specs) for update in updates]
        require_space(self.path)
        with self._write_lock:
            if self._closed:
                raise not_found("Collection doesn't exist!")
            self._check_existing(updates)
            for update, operation in zip(updates, operations, strict=True):
                if self._journal is not None:
                    self._journal.append(update)
                try:
                    self._live.edge.update(operation)
                except Exception as error:
                    raise from_edge(error) from error
                self._written += 1
                self.unindexed += update.touched_points()
            self.last_write = time.monotonic()
            mark = self._written
        if wait:
            self._flush_through(mark)

    def _check_existing(self, updates: Sequence[Update]) -> None:
        wanted = [i for update in updates for i in update.existing_ids()]
        if not wanted:
            return
        upserted = {str(i) for update in updates for i in update.upserted_ids()}
        found = {str(r.id) for r in self._live.edge.retrieve(wanted, False, False)} | upserted
        missing = next((i for i in wanted if str(i) not in found), None)
        if missing is not None:
            raise not_found(f"No point with id {missing} found")

    def _flush_through(self, mark: int) -> None:
        with self._flush_lock:
            if self._flushed >= mark:
                return
            covered = self._written
            with self.reading() as shard:
                shard.flush()
            self._flushed = covered

    def flush(self) -> None:
        """Make every write so far durable."""
        self._flush_through(self._written)

    @contextmanager
    def writes_paused(self) -> Iterator[None]:
        """Hold writers back for the time of the block; reads go on."""
        with self._write_lock:
            yield

    def start_journal(self, journal: Journal) -> None:
        """From now on record every write. Call with writes paused."""
        self._journal = journal

    def stop_journal(self) -> None:
        """Record no more."""
        self._journal = None

    def swap(self, path: Path, shard: edge.EdgeShard, indexed: int, afterwards: Callable[[], None]) -> None:
        """Make another generation the live one, with `indexed` fewer points outside its graph.

        Call with writes paused; `afterwards` runs once the old generation is closed.
        """
        old, self._live = self._live, Generation(path, shard)
        self._journal = None
        self._flushed = self._written
        self.unindexed -= indexed
        old.retire(afterwards)

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self.retire(lambda: None)

    def retire(self, afterwards: Callable[[], None]) -> None:
        """Close once the reads under way have ended, then run `afterwards`. Later calls find no collection."""
        with self._write_lock:
            self._closed = True
            self._live.retire(afterwards)

    def info(self) -> Any:
        """Edge's ShardInfo: segments, points, indexed vectors, payload schema."""
        with self.reading() as shard:
            return shard.info()
