"""Building the graph without stopping reads: blue/green, in a child process, on a copy.

Edge's `optimize()` holds the interpreter for as long as it runs, so it never runs here. One round:

1. pause writes; flush; copy the live generation to a new directory; start a journal; resume writes;
2. a child process indexes the copy and syncs it to disk;
3. open the copy and replay the journal on it, first beside the writers, the last of it with writes paused;
4. flush, point the registry at the new generation (one atomic rename), swap, resume writes, delete the old one.

A purge is the same round, but its child writes the shard anew from its live points (`rebuild`): afterwards no file
holds anything of what was deleted.

A crash before the rename leaves the old generation live, after it the new one. Each holds every acknowledged write;
the other directory is in no registry and is deleted at the next start.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import qdrant_edge as edge

from .catalog import Catalog
from .files import copy_tree, disk_usage, remove_tree, require_space, sync
from .journal import Journal
from .shard import Shard, open_edge
from .turn import Turn

log = logging.getLogger("hilum.engine")

# A round is due when this many points lie outside the graph, and either writing has paused, or they outnumber those
# inside, or the last round is long enough ago that rounds take at most a fifth of the time.
INDEX_AFTER_POINTS = 5_000
QUIET_SECONDS = 5.0
REST = 4.0
FLUSH_SECONDS = 2.0
RETRY_SECONDS = 60.0


class Indexer:
    """One background thread that indexes collections in need, one at a time, and flushes unwaited writes."""

    def __init__(self, catalog: Catalog, after_points: int = INDEX_AFTER_POINTS, turn: Path | None = None) -> None:
        """`after_points` 0 turns automatic indexing off. `turn`: see `Turn`."""
        self._catalog = catalog
        self._after = after_points
        self._stop = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._turn = Turn(turn, self._stop)
        self._retry_at: dict[str, float] = {}
        self._rest_until: dict[str, float] = {}
        self.running: str | None = None
        self.failures: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)
        self._flusher = threading.Thread(target=self._flush_loop, name="flusher", daemon=True)

    def start(self) -> None:
        """Begin watching."""
        self._thread.start()
        self._flusher.start()

    def stop(self) -> None:
        """Abandon the round under way (its copy is deleted) and end the threads."""
        self._stop.set()
        child = self._child
        if child is not None and child.poll() is None:
            child.kill()
        self._thread.join(timeout=30)
        self._flusher.join(timeout=30)

    def wants(self, shard: Shard) -> bool:
        """Whether enough points lie outside the graph."""
        return bool(self._after) and shard.unindexed >= self._after

    def _due(self, name: str, shard: Shard) -> bool:
        if not self.wants(shard) or time.monotonic() < self._retry_at.get(name, 0.0):
            return False
        now = time.monotonic()
        quiet = now - shard.last_write > QUIET_SECONDS
        return quiet or now > self._rest_until.get(name, 0.0) or shard.unindexed >= shard.points() / 2

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            for name, shard in self._catalog.opened():
                if self._stop.is_set():
                    return
                try:
                    if self._due(name, shard):
                        self.index(name)
                except Exception as error:
                    self._failed(name, f"indexing failed ({type(error).__name__})")

    def _flush_loop(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            for _, shard in self._catalog.opened():
                try:
                    shard.flush()
                except Exception as error:
                    log.error("a flush failed (%s)", type(error).__name__)

    def _failed(self, name: str, reason: str) -> None:
        if name not in dict(self._catalog.opened()):
            return  # deleted meanwhile
        log.error("%s; trying again in %.0f s", reason, RETRY_SECONDS)
        self.failures[name] = reason
        self._retry_at[name] = time.monotonic() + RETRY_SECONDS

    def index(self, name: str) -> None:
        """One round for one collection. Returns when the new generation is live, or the round was given up."""
        with self._turn.taken() as mine:
            if mine:
                self._round(name, purge=False)

    def purge(self, name: str) -> bool:
        """Leave nothing of deleted points in the collection's files. False when that could not be done."""
        with self._turn.taken() as mine:
            return mine and self._round(name, purge=True)

    def _round(self, name: str, purge: bool) -> bool:
        started = time.monotonic()
        fresh = self._begin(name)
        self.running = name
        live = False
        try:
            self._copy(fresh, "old" if purge else "shard")
            if not (self._rebuild(fresh) if purge else self._optimize(fresh)):
                if not self._stop.is_set():
                    self._failed(name, "the indexing process failed")
                return False
            live = self._switch(fresh)
            self.failures.pop(name, None)
            took = time.monotonic() - started
            self._rest_until[name] = time.monotonic() + REST * took
            log.info("%s %d points in %.1f s", "purged" if purge else "indexed", fresh.points, took)
            return live
        finally:
            self.running = None
            if not live:
                fresh.shard.stop_journal()
                remove_tree(fresh.path)
            fresh.journal.close()

    def _begin(self, name: str) -> _Round:
        path = self._catalog.generation_path(self._catalog.entry(name), secrets.token_hex(4))
        shard = self._catalog.shard(name)
        require_space(shard.path, 2 * disk_usage(shard.path))
        path.mkdir()
        return _Round(name, shard, path, Journal(path / "journal"))

    def _copy(self, fresh: _Round, name: str) -> None:
        with fresh.shard.writes_paused():
            fresh.shard.flush()
            copy_tree(fresh.shard.path, fresh.path / name)
            fresh.shard.start_journal(fresh.journal)
            fresh.covered, fresh.points = fresh.shard.unindexed, fresh.shard.points()

    def _describe(self, fresh: _Round) -> None:
        """What the child must know of the collection."""
        entry = self._catalog.entry(fresh.name)
        told = {"config": entry.config, "indexes": entry.indexes, "points": fresh.points}
        (fresh.path / "entry.json").write_text(json.dumps(told))

    def _optimize(self, fresh: _Round) -> bool:
        self._describe(fresh)
        return self._in_child("optimize", fresh.path)

    def _rebuild(self, fresh: _Round) -> bool:
        self._describe(fresh)
        try:
            return self._in_child("rebuild", fresh.path)
        finally:
            remove_tree(fresh.path / "old")

    def _in_child(self, module: str, path: Path) -> bool:
        command = [sys.executable, "-m", f"services.engine.{module}", str(path), str(os.getpid())]
        self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            while self._child.poll() is None:
                if self._stop.wait(0.05):
                    self._child.kill()
            return self._child.wait() == 0
        finally:
            self._child = None

    def _switch(self, fresh: _Round) -> bool:
        opened = open_edge(fresh.path / "shard", fresh.shard.config, fresh.points)
        done = False
        try:
            _replay(fresh, opened)
            with fresh.shard.writes_paused():
                _replay(fresh, opened)
                sync(fresh.path)
                sync(fresh.path.parent)
                if not self._catalog.point_to(fresh.name, fresh.shard, fresh.path.name, fresh.points):
                    return False
                old = fresh.shard.path.parent
                fresh.shard.swap(fresh.path / "shard", opened, fresh.covered, lambda: remove_tree(old))
                done = True
        finally:
            if not done:
                opened.close()
        return done


@dataclass
class _Round:
    """One indexing round: the new generation's directory, its journal, and what the copy covers."""

    name: str
    shard: Shard
    path: Path
    journal: Journal
    covered: int = 0
    points: int = 0


def _replay(fresh: _Round, opened: edge.EdgeShard) -> None:
    """Apply what the journal holds. A write that Edge refused on the live shard is refused here alike."""
    for update in fresh.journal.take():
        try:
            opened.update(update.operation(fresh.shard.specs))
        except Exception as error:
            log.warning("a journaled write was refused again (%s)", type(error).__name__)
    opened.flush()
