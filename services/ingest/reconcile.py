"""A dataset's source and the archive, held against each other: what is on one side only, and what disagrees within.

Files are named by keyed references here, as everywhere; films by their keys, which stand in a path, in a table, in a
DICOM header or in a server's listing, so no pixel is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from services.core import dicomweb
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, alike, images, jobs, models, removal
from services.core.filters import equals, to_qdrant
from services.core.ids import image_id
from services.core.store import VectorStore
from services.core.types import JobProgress
from services.encoders.slices import LAYOUT as CT
from services.ingest.claim import claimed
from services.ingest.header import is_dicom, read_header
from services.ingest.pipeline import Plan
from services.ingest.reasons import BadFilm, Reason
from services.ingest.removal import Removal
from services.ingest.sources.dicom import series_uid, sop_uid
from services.ingest.sources.dicomweb import DicomWeb, Instance
from services.ingest.sources.files import Listed, Refused
from services.ingest.sources.refs import ref_of
from services.ingest.sources.source import Published, Source, open_source

_HEAD = 2**20  # bytes of a file in which a header ends
_BATCH = 256
_MOST = 0.5  # of a dataset's films that may be taken for gone: beyond it, the folder is likelier to be the wrong one


@dataclass(frozen=True, slots=True)
class Difference:
    """kind: ``gone`` (stored, its file is not there), ``not_stored`` (a file that is no stored film),
    ``vector_without_facts``, ``facts_without_vector`` or ``no_thumbnail``. What is known of ref, film, model."""

    kind: str
    ref: str = ""
    image_id: str = ""
    model: str = ""


@dataclass(slots=True)
class Reconciled:
    """counts: films on both sides (``agree``), and differences by kind.  removed: films taken out.  job_id: of the
    ingest that restores what was lacking."""

    counts: Counter[str] = field(default_factory=Counter)
    removed: int = 0
    job_id: str = ""


@dataclass(slots=True)
class _Found:
    stored: set[str]
    gone: set[str] = field(default_factory=set)
    stray: set[str] = field(default_factory=set)  # vectors without facts
    lacking: dict[str, set[str]] = field(default_factory=dict)  # fingerprint → films without their vector
    blind: set[str] = field(default_factory=set)  # without their picture
    withheld: str = ""  # why the source does not list all the films that it has


def reconcile(
    settings: Settings, facts: Facts, store: VectorStore, blobs: Blobs, secret: bytes, plan: Plan,
    apply: bool, requeue: Callable[[], str],
) -> Iterator[JobProgress | Difference | Reconciled]:  # fmt: skip
    """Progress and every difference; with `apply` also remove what is gone and have `requeue` restore what lacks.

    Nothing is removed where more than half of the films seem to be gone, where a server holds films back that it says
    it has, or where a folder cannot be opened: FAILED_PRECONDITION.
    """
    with claimed(facts, settings.data_dir, plan.dataset, lambda: True) as held:
        if not held:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "an ingest of this dataset is running; wait for its end")
        told, found = Reconciled(), _Found({film for film, _ in alike.looks(facts, plan.dataset)})
        for item in _differences(settings, facts, store, blobs, secret, plan, found):
            if isinstance(item, Difference):
                told.counts[item.kind] += 1
            yield item
        told.counts["agree"] = len(found.stored - found.gone)
        if apply:
            if found.withheld:
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION,
                    f"{found.withheld}, so that nobody can tell which films are gone. Nothing was removed",
                )
            if len(found.gone) > _MOST * len(found.stored):
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION,
                    "more than half of the dataset's films are not in this source: is it the right one, and mounted? "
                    "Nothing was removed",
                )
            yield from _take_out(settings, facts, store, blobs, plan.dataset, found)
            told.removed = len(found.gone)
            for fingerprint, ids in found.lacking.items():
                removal.unlist(facts, fingerprint, ids - found.gone)
            for spec in models.every(facts):
                removal.unlist(facts, spec.fingerprint, found.blind - found.gone)
    if apply and (any(found.lacking.values()) or found.blind):
        told.job_id = requeue()
    yield told


def _differences(
    settings: Settings, facts: Facts, store: VectorStore, blobs: Blobs, secret: bytes, plan: Plan, found: _Found
) -> Iterator[JobProgress | Difference]:
    present = set[str]()
    identify = partial(image_id, plan.dataset)
    yield JobProgress("reading tables")
    with closing(_opened(settings, plan, identify)) as source:
        files = source.films(everything=True) if isinstance(source, DicomWeb) else source.films()
        if any(isinstance(file, Instance) and not file.found.uid for file in files):
            found.withheld = "the server lists fewer films than it says it has (raise its bound on results)"
        if any(map(_closed, files)):
            found.withheld = "a folder of the source cannot be opened (check its permissions and the disk)"
            files = [file for file in files if not _closed(file)]
        for start in range(0, len(files), _BATCH):
            yield JobProgress("reading headers", start, len(files))
            part = files[start : start + _BATCH]
            for listed, film in zip(part, _ids(facts, secret, source, plan, part), strict=True):
                present.add(film)
                if film not in found.stored:
                    yield Difference("not_stored", ref_of(secret, listed.name), film)
    found.gone = found.stored - present
    yield from (Difference("gone", "", film) for film in sorted(found.gone))
    where = to_qdrant(equals("dataset", plan.dataset))
    known = {spec.collection: spec for spec in models.every(facts)}
    for collection in store.ours():
        yield JobProgress(f"vectors of {collection}")
        held = {film for page in store.ids_in(collection, where) for film in page}
        name = known[collection].name if collection in known else collection
        found.stray |= held - found.stored
        yield from (Difference("vector_without_facts", "", film, name) for film in sorted(held - found.stored))
        if collection in known:
            mark = known[collection].fingerprint
            found.lacking[mark] = set(alike.held(facts, mark, plan.dataset)) - held
            yield from (Difference("facts_without_vector", "", film, name) for film in sorted(found.lacking[mark]))
    stored = sorted(found.stored)
    for start in range(0, len(stored), _BATCH):
        yield JobProgress("pictures", start, len(stored))
        for film, digest in images.thumbnails(facts, stored[start : start + _BATCH]).items():
            if digest and not blobs.holds(digest):
                found.blind.add(film)
                yield Difference("no_thumbnail", "", film)


def _closed(file: Listed) -> bool:
    """Is it a folder that cannot be opened?"""
    return isinstance(file, Refused) and file.reason is Reason.UNREADABLE_FOLDER


def _opened(settings: Settings, plan: Plan, identify: Callable[[str], str]) -> Source:
    if plan.remote:  # tables are not asked: the listing names films
        return DicomWeb(dicomweb.find(settings.dicomweb, plan.source), plan.where, "", "", identify)
    return open_source(
        Path(plan.source), plan.layout, plan.labels, plan.reports, identify, plan.tables, plan.columns
    )  # fmt: skip


def _ids(facts: Facts, secret: bytes, source: Source, plan: Plan, part: Sequence[Listed]) -> list[str]:
    """The films that files are. Of a header that cannot be read, what an ingest has noted of the file speaks."""
    if isinstance(source, DicomWeb):
        return [image_id(plan.dataset, listed.name) for listed in part]
    uids = [None if isinstance(source, Published) else _uid(listed, plan.layout) for listed in part]
    names = [listed.name for listed in part]
    rows = source.find(names, uids)
    noted = jobs.noted(facts, plan.dataset, [ref_of(secret, name) for name in names])
    found = []
    for name, uid, row in zip(names, uids, rows, strict=True):
        film = noted.get(ref_of(secret, name)) if uid == "" else None
        found.append(film or image_id(plan.dataset, source.key(name, uid or None, row)))
    return found


def _uid(listed: Listed, layout: str) -> str | None:
    """SOPInstanceUID, of CT slices the series'; None for a picture, blank for what cannot be read."""
    try:
        data = listed.read(_HEAD)
        if not is_dicom(data):
            return None
        elements = read_header(data).elements
    except BadFilm:
        return ""
    return (series_uid(elements) if layout == CT else None) or sop_uid(elements)


def _take_out(
    settings: Settings, facts: Facts, store: VectorStore, blobs: Blobs, dataset: str, found: _Found
) -> Iterator[JobProgress]:
    if not found.gone and not found.stray:
        return
    films = {film.image_id: film for film in removal.films(facts, found.gone)}
    work = Removal(settings, facts, store, blobs, dataset, films)
    work.ids |= found.stray
    yield from work.run()
    if not work.complete:
        raise HilumError(ErrorCode.UNAVAILABLE, "something of the removed films is left; give the same command again")
