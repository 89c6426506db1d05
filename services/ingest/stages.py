"""The stages of an ingest: plain functions on batches of films. Each takes what the one before gives.

trusted → read → known → decoded → settled → encoded → stored

A film leaves the line as soon as its outcome is known; what travels on is `Work`. Nothing here knows of jobs, threads
between stages or progress, so the same functions can run on one machine or on many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from services.core.blobs import Blobs
from services.core.facts import Facts, images, jobs
from services.core.facts.images import Stored
from services.core.sets import store_films
from services.core.store import VectorStore
from services.core.types import ImageRecord, JobItem, Outcome
from services.encoders.base import Encoder
from services.ingest import views, withdrawn
from services.ingest.burned_in import BurnedIn
from services.ingest.crash import Reached, nowhere
from services.ingest.decode_pool import DecodePool
from services.ingest.encoding import Prepared, Vector, encode
from services.ingest.patience import patiently
from services.ingest.pixel_cache import PixelCache, pack
from services.ingest.reasons import BadFilm, Reason
from services.ingest.records import Identities, new_record, retold
from services.ingest.sources.files import Listed
from services.ingest.sources.source import Source
from services.ingest.sources.tables import Row


class Seen(Protocol):
    """The films that a job has taken: image_id → (ref, pixels); pixels are blank when only the facts can tell.
    `Taken`, or one that several machines ask."""

    def setdefault(self, image_id: str, claim: tuple[str, str], /) -> tuple[str, str]:
        """Who has the film: `claim`, if it is the first."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the stages work with."""

    facts: Facts
    store: VectorStore
    blobs: Blobs
    pool: DecodePool
    threads: Executor
    readers: Executor
    encoders: Sequence[Encoder]
    who: Identities
    source: Source
    layout: str = "auto"
    reached: Reached = nowhere
    pixels: PixelCache | None = None
    burned_in: BurnedIn = field(default_factory=BurnedIn)
    views: bool = True  # infer those that nobody states


@dataclass(slots=True)
class Work:
    """One film on its way. `prepared` and `vectors` go by model fingerprint; `outcome` ends the journey."""

    ref: str
    listed: Listed
    data: bytes = b""
    bytes_sha256: str = ""
    row: Row | None = None
    record: ImageRecord | None = None
    existing: ImageRecord | None = None
    thumbnail: bytes = b""
    packed: bytes = b""  # the film's pixels for the cache
    prepared: dict[str, Prepared] = field(default_factory=dict)
    vectors: dict[str, Vector] = field(default_factory=dict)
    outcome: Outcome | None = None
    reason: Reason | None = None

    def end(self, outcome: Outcome, reason: Reason | None = None) -> None:
        self.outcome, self.reason = outcome, reason
        self.data, self.packed, self.prepared, self.vectors = b"", b"", {}, {}

    def item(self) -> JobItem:
        assert self.outcome is not None
        image_id = self.record.image_id if self.record and self.outcome is not Outcome.QUARANTINED else None
        reason = (self.reason.value, self.reason.message) if self.reason else ("", "")
        return JobItem(self.ref, self.outcome, image_id, *reason)


def live(batch: Sequence[Work]) -> list[Work]:
    """Those whose outcome is still open."""
    return [work for work in batch if work.outcome is None]


def trusted(tools: Tools, batch: list[Work], seen: Seen, refused: Mapping[str, Reason]) -> list[Work]:
    """Films whose listing tells their key need no reading when they are stored with every wanted model, or when the job
    before refused them (`refused`: ref → why). Whether their pixels have changed since is not looked at."""
    named = {tools.who.film(work.listed.key): work for work in batch if work.listed.key}
    wanted = {encoder.spec.fingerprint for encoder in tools.encoders}
    for image_id, (record, fingerprints) in images.get_held(tools.facts, named).items():
        if wanted <= fingerprints:
            named[image_id].existing = record
    for work in named.values():
        if work.existing is None and (reason := refused.get(work.ref)):
            work.end(Outcome.QUARANTINED, reason)
    return _retold(tools, batch, seen)


def read(tools: Tools, batch: list[Work]) -> list[Work]:
    """Bytes and their hash."""

    def one(work: Work) -> None:
        try:
            work.data = work.listed.read()
        except BadFilm as error:
            work.end(Outcome.QUARANTINED, error.reason)
            return
        work.bytes_sha256 = hashlib.sha256(work.data).hexdigest()

    todo = [work for work in live(batch) if work.existing is None]
    list(tools.readers.map(one, todo))
    rows = tools.source.find([work.listed.name for work in todo])
    for work, row in zip(todo, rows, strict=True):
        work.row = row
    return batch


def known(tools: Tools, batch: list[Work], seen: Seen) -> list[Work]:
    """Films stored with every wanted model from the very same bytes need no decoding; their facts may be news."""
    open_ = [work for work in live(batch) if work.existing is None]
    same = images.by_bytes(tools.facts, tools.who.dataset, {work.bytes_sha256 for work in open_})
    records = images.get(tools.facts, {i for ids in same.values() for i in ids})
    ledger = images.ledger(tools.facts, records)
    wanted = {encoder.spec.fingerprint for encoder in tools.encoders}
    for work in open_:
        record = _stored_as(tools, work, [records[i] for i in same.get(work.bytes_sha256, ()) if i in records])
        if record is not None and wanted <= ledger.get(record.image_id, set()):
            work.existing, work.data = record, b""
    return _retold(tools, batch, seen)


def _retold(tools: Tools, batch: list[Work], seen: Seen) -> list[Work]:
    """What the tables say today of films that are stored already."""
    stored = [work for work in live(batch) if work.existing and work.record is None]
    rows = tools.source.of([work.existing.image_id for work in stored if work.existing])
    for work, row in zip(stored, rows, strict=True):
        assert work.existing is not None
        work.record = retold(tools.who, work.existing, work.row or row)
        _compare(work, seen)
    return batch


def decoded(tools: Tools, batch: list[Work]) -> list[Work]:
    """Pixels once, and every model's preprocessing of them; the film itself is dropped at once."""

    def one(work: Work) -> None:
        try:
            film = tools.burned_in.settled(tools.pool.decode(work.data, tools.burned_in.how(tools.layout)))
        except BadFilm as error:
            work.end(Outcome.QUARANTINED, error.reason)
            return
        work.data = b""
        if work.row is None and film.sop_uid:
            [work.row] = tools.source.find([work.listed.name], [film.sop_uid])
        key = tools.source.key(work.listed.name, film.sop_uid, work.row)
        work.record = new_record(tools.who, key, film, work.row, work.bytes_sha256)
        work.thumbnail = film.thumbnail
        if tools.pixels:
            work.packed = pack(film.film)
        try:
            work.prepared = {e.spec.fingerprint: e.preprocess(film.film) for e in tools.encoders}
        except Exception:
            work.end(Outcome.QUARANTINED, Reason.ENCODER_FAILED)

    list(tools.threads.map(one, [work for work in live(batch) if work.record is None]))
    return batch


def settled(tools: Tools, batch: list[Work], seen: Seen) -> list[Work]:
    """A key that is taken: by the same pixels, a repeat; by others, a conflict."""
    fresh = [work for work in live(batch) if work.record is not None and work.existing is None]
    gone = withdrawn.among(tools.facts, tools.who.secret, [_record(work) for work in fresh])
    for work in fresh:
        if _id(work) in gone:
            work.end(Outcome.QUARANTINED, Reason.CONSENT_WITHDRAWN)
    fresh = live(fresh)
    existing = images.get(tools.facts, [work.record.image_id for work in fresh if work.record])
    for work in fresh:
        assert work.record is not None
        work.existing = existing.get(work.record.image_id)
        work.record = views.kept(work.record, work.existing)
        _compare(work, seen)
        if tools.pixels and work.packed:
            tools.pixels.put(_pixels(work), work.packed)
            work.packed = b""
    return batch


def encoded(tools: Tools, batch: list[Work]) -> list[Work]:
    """A vector per film and model, but for those the engine already holds for these pixels."""
    for encoder in tools.encoders:
        spec = encoder.spec
        films = [work for work in live(batch) if spec.fingerprint in work.prepared]
        held = patiently(lambda s=spec, f=films: tools.store.held(s, _ids(f))) if films else {}
        missing = [work for work in films if held.get(_id(work)) != _pixels(work)]
        pixels = [work.prepared[spec.fingerprint] for work in missing]
        for work, vector in zip(missing, patiently(lambda e=encoder, p=pixels: encode(e, p)), strict=True):
            if isinstance(vector, Reason):
                work.end(Outcome.QUARANTINED, vector)
            else:
                work.vectors[spec.fingerprint] = vector
                work.record = views.inferred(_record(work), spec, vector) if tools.views else work.record
    for work in batch:
        work.prepared = {}
    return batch


def stored(tools: Tools, batch: list[Work], job_id: str) -> list[Work]:
    """Vectors durably in every collection, then facts, ledger and outcomes in one transaction."""
    films = live(batch)
    for encoder in tools.encoders:
        _upsert(tools, encoder, films)
        tools.reached(f"after_upsert:{encoder.spec.name}")
    wanted = tuple(encoder.spec.fingerprint for encoder in tools.encoders)
    pictures = images.thumbnails(tools.facts, [_id(work) for work in films if not work.thumbnail])
    rows = [
        Stored(_record(w), tools.blobs.put(w.thumbnail) if w.thumbnail else pictures[_id(w)], wanted) for w in films
    ]
    for work in films:
        work.end(Outcome.STORED)
    if tools.pixels:  # nothing is kept of a film that is not taken
        tools.pixels.delete(w.record.pixel_sha256 for w in batch if w.record and w.outcome is Outcome.QUARANTINED)
    tools.reached("before_commit")
    with tools.facts.write():
        images.commit(tools.facts, rows)
        jobs.record_items(tools.facts, job_id, [work.item() for work in batch])
    tools.reached("after_commit")
    return batch


def _upsert(tools: Tools, encoder: Encoder, films: Sequence[Work]) -> None:
    """New vectors, and the kept ones of films whose facts have changed: a point carries its facts."""
    spec = encoder.spec
    new = [work for work in films if spec.fingerprint in work.vectors]
    news = [work for work in films if spec.fingerprint not in work.vectors and _is_news(work)]
    rows = {_id(work): work.vectors[spec.fingerprint] for work in new}
    if news:
        rows.update(zip(*patiently(lambda: tools.store.vectors(spec, ids=_ids(news))), strict=True))
    records = {_id(work): _record(work) for work in (*new, *news) if _id(work) in rows}
    if records:
        vectors = np.stack([rows[i] for i in records])
        patiently(lambda: store_films(tools.facts, tools.store, spec, list(records.values()), vectors))


def _stored_as(tools: Tools, work: Work, candidates: Sequence[ImageRecord]) -> ImageRecord | None:
    """The stored film that this file is: the same bytes under the same key. DICOM carries its key in its bytes."""
    mine = tools.who.film(tools.source.key(work.listed.name, None, work.row))
    by_key = next((record for record in candidates if record.image_id == mine), None)
    return by_key or (candidates[0] if candidates and work.data[128:132] == b"DICM" else None)


def _compare(work: Work, seen: Seen) -> None:
    stored = work.existing.pixel_sha256 if work.existing else ""  # blank: ready-made vectors have brought the film in
    ref, pixels = work.ref, stored
    if stored in ("", _pixels(work)):
        ref, pixels = seen.setdefault(_id(work), (work.ref, _pixels(work)))
    if (pixels or stored or _pixels(work)) != _pixels(work):
        work.end(Outcome.CONFLICT, Reason.SAME_KEY_OTHER_PIXELS)
    elif ref != work.ref:
        work.end(Outcome.DUPLICATE, Reason.SAME_KEY_SAME_PIXELS)
    elif work.existing and not work.prepared and not _is_news(work):
        work.end(Outcome.UNCHANGED)


def _is_news(work: Work) -> bool:
    """Does the record say anything that the stored one does not?"""
    if work.existing is None:
        return True
    mine, theirs = (replace(r, labels=tuple(sorted(r.labels, key=repr))) for r in (_record(work), work.existing))
    return mine != theirs


def _record(work: Work) -> ImageRecord:
    assert work.record is not None
    return work.record


def _id(work: Work) -> str:
    return _record(work).image_id


def _ids(films: Sequence[Work]) -> list[str]:
    return [_id(work) for work in films]


def _pixels(work: Work) -> str:
    return _record(work).pixel_sha256
