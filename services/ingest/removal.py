"""Taking films out of everything an archive keeps of them, and looking again whether anything is left.

The facts go last: they are the list of what is to go, so whatever interrupts a removal, the same call again completes
it. Every step may be repeated without harm.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from qdrant_client import models as wire

from services.core import attempts, cohorts
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, reader_studies, removal, reports, unshown
from services.core.facts.removal import Kept
from services.core.pulled import Pulled
from services.core.store import VectorStore
from services.core.store.reports import PREFIX as REPORTS
from services.core.store.reports import report_point
from services.core.types import JobProgress
from services.ingest.pixel_cache import PixelCache

OTHERS = ("analyze",)  # jobs that read films at their own pace, without the claim on a dataset
_NEVER_READ = {"blobs", "pixels", "models", "tuned", "secret"}  # no id is written there, and they are large
_SHORTEST = 12  # bytes of a name that are looked for in raw files: shorter ones stand there by chance
_SHORTEST_WORD = 4  # the same for words of texts
_NEEDLES = 300


@dataclass(slots=True)
class Trace:
    """One place: what was removed from it, and what a second look found left (None: nobody could look)."""

    removed: int = 0
    left: int | None = 0
    note: str = ""


@dataclass(slots=True)
class Removal:
    """Films of one dataset on their way out. `where` finds their points, also those that no fact knows; `names` are
    the words that may stand in jobs and files: patients, studies."""

    settings: Settings
    facts: Facts
    store: VectorStore
    blobs: Blobs
    dataset: str
    films: dict[str, Kept]
    where: wire.Filter | None = None
    names: set[str] = field(default_factory=set)
    traces: dict[str, Trace] = field(default_factory=dict)
    ids: set[str] = field(init=False)
    studies: set[str] = field(init=False)
    pictures: set[str] = field(init=False)  # sha256 of thumbnails
    pixels: set[str] = field(init=False)
    reports: set[str] = field(init=False)  # ids of the points of their studies' reports

    def __post_init__(self) -> None:
        self.ids = set(self.films)
        self.studies = {film.study_id for film in self.films.values() if film.study_id}
        self.pictures = {film.thumbnail for film in self.films.values() if film.thumbnail}
        self.pixels = {film.pixel_sha256 for film in self.films.values() if film.pixel_sha256}
        empty = removal.emptied(self.facts, self.dataset, self.studies, self.ids)
        self.reports = set(map(report_point, reports.sections_of(self.facts, self.dataset, empty)))

    def run(self) -> Iterator[JobProgress]:
        """Remove, then look again. Raises FAILED_PRECONDITION while other work reads films."""
        if removal.at_work(self.facts, OTHERS):
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                "an analysis is running; cancel it or wait, then give the same command again",
            )
        steps = (self._vectors, self._runs, self._pictures, self._rows, self._rewrite, self._look)
        for step in steps:
            yield from step()

    @property
    def complete(self) -> bool:
        return all(trace.left == 0 for trace in self.traces.values() if trace.left is not None)

    def _trace(self, place: str) -> Trace:
        return self.traces.setdefault(place, Trace())

    def _collections(self) -> list[str]:
        return [*self.store.ours(), *self.store.report_collections()]

    def _vectors(self) -> Iterator[JobProgress]:
        collections = self._collections()
        for number, collection in enumerate(collections):
            yield JobProgress("vectors", number, len(collections))
            found = self._points(collection)
            (self.reports if collection.startswith(REPORTS) else self.ids).update(found)
            self.store.erase(collection, sorted(found))
            self._trace(f"vectors: {collection}").removed += len(found)
            self._trace("engine snapshots").removed += self.store.drop_snapshots(collection)

    def _points(self, collection: str) -> set[str]:
        known = self.reports if collection.startswith(REPORTS) else self.ids
        found = set(self.store.present(collection, sorted(known)))
        if self.where is not None:
            found.update(point for page in self.store.ids_in(collection, self.where) for point in page)
        return found

    def _runs(self) -> Iterator[JobProgress]:
        """A run cannot be partly true: whichever has one of the films goes as a whole."""
        yield JobProgress("analysis runs")
        home = self.settings.data_dir / "runs"
        gone = {path.name for path in _run_folders(home) if self._holds(path)}
        others = [path for path in _run_folders(home) if path.name not in gone]
        self._trace("verdicts of cohorts").removed += sum(cohorts.forget(path, self.ids) for path in others)
        for path in [*home.glob(".part-*"), *home.glob(".gone-*")]:  # nobody is at work on them
            shutil.rmtree(path, ignore_errors=True)
        for name in sorted(gone):
            (home / name).rename(home / f".gone-{name}")
            shutil.rmtree(home / f".gone-{name}", ignore_errors=True)
        self._trace("analysis runs").removed += len(gone)
        self._trace("vectors kept for analyses").removed += self._pulled().drop()
        self._trace("stages of unfinished analyses").removed += attempts.drop(self.settings.data_dir)
        named = removal.naming(self.facts, self._words())
        self._trace("jobs and runs in SQL").removed += removal.delete_work(self.facts, gone | named)
        self._trace("origins of sets").removed += removal.unname(self.facts, self._words())
        self._trace("saved searches").removed += removal.unask(self.facts, self._words())
        self._trace("reader studies").removed += reader_studies.withdraw(self.facts, self._words())
        self._teaching()

    def _teaching(self) -> None:
        """A case stays without the film: what is told of it goes, and where a picture that came with it is the same."""
        gone = unshown.unshow(self.facts, self.ids, self.pictures, self._words())
        self._trace("teaching files").removed += gone

    def _pulled(self) -> Pulled:
        return Pulled.at(self.settings.data_dir, self.settings.vector_cache)

    def _holds(self, run: Path) -> bool:
        """Does a run have one of the films, or name one? One that cannot be read cannot be shown to be free of them."""
        try:
            column = pq.read_table(run / "sample.parquet", columns=["image_id"]).column("image_id")
            told = json.loads((run / "manifest.json").read_text())
        except (OSError, KeyError, ValueError, pa.ArrowException):
            return True
        return not self.ids.isdisjoint(column.to_pylist()) or removal.says(told, self._words())

    def _words(self) -> re.Pattern[str]:
        """Names, studies and image ids, as whole words."""
        named = {word for word in self.names | self.studies if len(word) >= _SHORTEST_WORD}
        return removal.words(named | self.ids)

    def _pictures(self) -> Iterator[JobProgress]:
        yield JobProgress("pictures")
        own = {digest for digest in removal.unshared(self.facts, self.pictures, self.ids) if self.blobs.holds(digest)}
        for digest in own:
            self.blobs.delete(digest)
        self._trace("thumbnails").removed += len(own)
        cache = PixelCache.at(self.settings)
        self._trace("pixel cache").removed += sum(cache.get(digest) is not None for digest in self.pixels)
        cache.delete(self.pixels)

    def _rows(self) -> Iterator[JobProgress]:
        yield JobProgress("facts")
        for name, count in removal.delete_films(self.facts, self.dataset, self.ids, self.studies).items():
            self._trace(f"SQL: {name}").removed += count
        # A set that was drawn meanwhile; from here on none can be.
        self._trace("reader studies").removed += reader_studies.withdraw(self.facts, self._words())
        self._teaching()  # what somebody wrote meanwhile; from here on nobody can add the films again

    def _rewrite(self) -> Iterator[JobProgress]:
        """Deleted is not gone: engine and database keep the bytes until their files are rewritten."""
        collections, stated = self._collections(), images.stated_findings(self.facts)
        for number, collection in enumerate(collections):
            yield JobProgress("rewriting the engine's files", number, len(collections))
            self.store.unindex_labels(collection, stated)
            self.store.purge(collection)
        yield JobProgress("rewriting the database")
        self.facts.scrub()

    def _look(self) -> Iterator[JobProgress]:
        yield JobProgress("looking again")
        self._trace("running jobs that may hold films").left = int(removal.at_work(self.facts, OTHERS))
        for collection in self._collections():
            self._trace(f"vectors: {collection}").left = len(self._points(collection))
            self._trace("engine snapshots").left = self.store.snapshots(collection)
        home = self.settings.data_dir / "runs"
        self._trace("vectors kept for analyses").left = self._pulled().count()
        self._trace("stages of unfinished analyses").left = attempts.count(self.settings.data_dir)
        self._trace("analysis runs").left = sum(self._holds(run) for run in _run_folders(home))
        self._trace("verdicts of cohorts").left = sum(cohorts.judged(run, self.ids) for run in _run_folders(home))
        self._trace("jobs and runs in SQL").left = len(removal.naming(self.facts, self._words()))
        self._trace("origins of sets").left = removal.naming_sets(self.facts, self._words())
        self._trace("saved searches").left = removal.asking(self.facts, self._words())
        self._trace("reader studies").left = reader_studies.naming(self.facts, self._words())
        showing = unshown.showing(self.facts, self.ids, self.pictures, self._words())
        self._trace("teaching files").left = showing
        own = removal.unshared(self.facts, self.pictures, self.ids)
        self._trace("thumbnails").left = sum(self.blobs.holds(digest) for digest in own)
        cache = PixelCache.at(self.settings)
        self._trace("pixel cache").left = sum(cache.get(digest) is not None for digest in self.pixels)
        for name, count in removal.left(self.facts, self.dataset, self.ids, self.studies).items():
            self._trace(f"SQL: {name}").left = count
        yield from self._raw_bytes()

    def _raw_bytes(self) -> Iterator[JobProgress]:
        """Read every file of the data folder that could hold an id, and look for its bytes."""
        trace, needles = self._trace("raw files of the data folder"), self._needles()
        files = list(_files(self.settings.data_dir))
        total, done, hits = sum(size for _, size in files), 0, 0
        for path, size in files:
            yield JobProgress("reading every file", done >> 20, max(1, total >> 20))
            hits += _occurs(path, needles)
            done += size
        trace.left = hits
        trace.note = f"{len(files)} files, {total / 2**20:.0f} MiB, looked for {len(needles)} byte strings"
        if not (self.settings.data_dir / "engine").is_dir():
            note = "nobody can look from here: its vacuum rewrites segments of 100 vectors and more, its log turns over"
            self.traces["files of the Qdrant server"] = Trace(0, None, note)
        if self.facts.engine.dialect.name != "sqlite":
            note = "nobody can look from here: tables were rewritten; its log and backups are its operator's"
            self.traces["files of the database server"] = Trace(0, None, note)

    def _needles(self) -> list[bytes]:
        """Names as text; ids as text and, as engines keep them, as 16 bytes in either order."""
        found = [word.encode() for word in sorted(self.names | self.studies) if len(word) >= _SHORTEST]
        for point in [*sorted(self.ids), *sorted(self.reports)]:
            raw = uuid.UUID(point).bytes
            found += [point.encode(), raw, raw[::-1]]
        return found[:_NEEDLES]


def _run_folders(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.is_dir() and path.name[0] != "."] if home.is_dir() else []


def _files(root: Path) -> Iterator[tuple[Path, int]]:
    for folder, below, names in os.walk(root):
        if Path(folder) == root:
            below[:] = [name for name in below if name not in _NEVER_READ]
        for name in set(names) - _NEVER_READ:
            try:
                yield (path := Path(folder, name)), path.stat().st_size
            except OSError:
                continue


def _occurs(path: Path, needles: list[bytes]) -> bool:
    """Engines keep files with holes of gigabytes: those are zeros, and only what is written is read."""
    longest = max(map(len, needles), default=0)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            parts = list(_written(file.fileno(), len(data)))
            return any(
                data.find(needle, max(0, start - longest), end + longest) >= 0
                for start, end in parts
                for needle in needles
            )
    except (OSError, ValueError):  # empty, or gone meanwhile
        return False


def _written(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Start and end of each part of a file that is no hole; of the whole where the system cannot tell."""
    if not hasattr(os, "SEEK_DATA"):
        yield 0, size
        return
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # which says that only a hole is left
                yield end, size
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end
