"""Taking films out of the facts: which there are, what hangs on them, and deleting all of it in one transaction."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, delete, func, select, update

from services.core.facts import profiles, sides
from services.core.facts.db import Facts
from services.core.facts.reports import listed
from services.core.facts.reports import unlist as unlist_reports
from services.core.facts.schema import (
    boxes,
    densities,
    embeddings,
    images,
    job_items,
    jobs,
    labels,
    marks,
    members,
    reader_films,
    reports,
    runs,
    searches,
    sets,
)
from services.core.types import JobState

_CHUNK = 500
_HANGING = {
    "labels": labels,
    "boxes": boxes,
    "ledger": embeddings,
    "job items": job_items,
    "members": members,
    "densities": densities,
    "marks": marks,
    "films of reader studies": reader_films,
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored film, as far as removing it needs to know."""

    image_id: str
    study_id: str | None
    thumbnail: str
    pixel_sha256: str


def films_of(facts: Facts, dataset: str, patients: Collection[str]) -> list[Kept]:
    """The films of these patients."""
    return list(_films(facts, (images.c.dataset == dataset) & images.c.patient_id.in_(sorted(patients))))


def films(facts: Facts, ids: Collection[str]) -> list[Kept]:
    """These films, as far as they are stored."""
    return [film for part in _chunks(ids) for film in _films(facts, images.c.image_id.in_(part))]


def unshared(facts: Facts, digests: Collection[str], besides: Collection[str]) -> set[str]:
    """Those of the pictures `digests` that no film shows but those of `besides`."""
    gone, used = set(besides), set[str]()
    with facts.read() as db:
        for part in _chunks(digests):
            query = select(images.c.thumbnail, images.c.image_id).where(images.c.thumbnail.in_(part))
            used.update(digest for digest, image_id in db.execute(query) if image_id not in gone)
    return set(digests) - used


def emptied(facts: Facts, dataset: str, studies: Collection[str], ids: Collection[str]) -> set[str]:
    """Those of `studies` that have no film but those of `ids`."""
    gone, used = set(ids), set[str]()
    with facts.read() as db:
        for part in _chunks(studies):
            query = select(images.c.study_id, images.c.image_id)
            query = query.where(images.c.dataset == dataset, images.c.study_id.in_(part))
            used.update(study for study, image_id in db.execute(query) if image_id not in gone)
    return set(studies) - used


def delete_films(facts: Facts, dataset: str, ids: Collection[str], studies: Collection[str]) -> dict[str, int]:
    """Films with all that hangs on them, and the reports of those of `studies` that are left without a film; those of
    the others count as not indexed. Table → rows deleted. All of it, or nothing."""
    gone = dict.fromkeys(("films", *_HANGING, "reports"), 0)
    with facts.write() as db:
        for part in _chunks(ids):
            for name, table in _HANGING.items():
                gone[name] += db.execute(delete(table).where(table.c.image_id.in_(part))).rowcount
            gone["films"] += db.execute(delete(images).where(images.c.image_id.in_(part))).rowcount
        for part in _chunks(_empty(db, dataset, studies)):
            theirs = (reports.c.dataset == dataset) & reports.c.study_id.in_(part)
            gone["reports"] += db.execute(delete(reports).where(theirs)).rowcount
        gone["indexed reports"] = unlist_reports(db, dataset, studies)
        gone["side rows"] = sides.drop_strangers(db, dataset)
        gone["sets of labels"] = profiles.unused(db)
    return gone


def left(facts: Facts, dataset: str, ids: Collection[str], studies: Collection[str]) -> dict[str, int]:
    """The same tables, counted."""
    found = dict.fromkeys(("films", *_HANGING, "reports"), 0)
    with facts.read() as db:
        for part in _chunks(ids):
            for name, table in {"films": images, **_HANGING}.items():
                found[name] += _count(db, table, part)
        for part in _chunks(_empty(db, dataset, studies)):
            theirs = (reports.c.dataset == dataset) & reports.c.study_id.in_(part)
            found["reports"] += db.scalar(select(func.count()).select_from(reports).where(theirs)) or 0
        found["indexed reports"] = listed(db, dataset, studies)
        found["side rows"] = sides.count_strangers(db, dataset)
        found["sets of labels"] = profiles.count_unused(db)
    return found


def at_work(facts: Facts, kinds: Collection[str]) -> bool:
    """Is a job of one of these kinds running?"""
    running = jobs.c.kind.in_(sorted(kinds)) & (jobs.c.state == JobState.RUNNING.value)
    with facts.read() as db:
        return db.scalar(select(jobs.c.job_id).where(running).limit(1)) is not None


def naming(facts: Facts, sought: re.Pattern[str]) -> set[str]:
    """Ids of the jobs and runs that say one of what is `sought`, in a filter on a patient for instance."""
    with facts.read() as db:
        told = db.execute(select(jobs.c.job_id, jobs.c.spec, jobs.c.progress, jobs.c.result, jobs.c.error)).all()
        done = db.execute(select(runs.c.run_id, runs.c.manifest, runs.c.metrics)).all()
    return {row[0] for row in (*told, *done) if says(list(row[1:]), sought)}


def words(named: Collection[str]) -> re.Pattern[str]:
    """Whole words: ``p-1`` does not stand in ``p-11``."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(named))) or '(?!)'})(?!\w)")


def says(told: object, sought: re.Pattern[str]) -> bool:
    """Does a text somewhere in this JSON hold one of what is `sought`? Numbers are no texts."""
    match told:
        case str():
            return sought.search(told) is not None
        case Mapping():
            return any(says(each, sought) for pair in told.items() for each in pair)
        case list() | tuple():
            return any(says(each, sought) for each in told)
        case _:
            return False


def unname(facts: Facts, sought: re.Pattern[str]) -> int:
    """Forget how sets of films came about whose origin says one of what is `sought`; how many there were. The sets
    themselves stay."""
    with facts.write() as db:
        told = db.execute(select(sets.c.set_id, sets.c.title, sets.c.about)).all()
        found = [set_id for set_id, *said in told if says(said, sought)]
        for part in _chunks(found):
            db.execute(update(sets).where(sets.c.set_id.in_(part)).values(title="", about={}))
    return len(found)


def naming_sets(facts: Facts, sought: re.Pattern[str]) -> int:
    """How many sets of films say one of what is `sought`, be it in their names."""
    with facts.read() as db:
        return sum(says(list(row), sought) for row in db.execute(select(sets.c.set_id, sets.c.title, sets.c.about)))


def unask(facts: Facts, sought: re.Pattern[str]) -> int:
    """Delete the saved searches that name one of what is `sought`, with their marks; how many there were."""
    with facts.write() as db:
        told = db.execute(select(searches.c.search_id, searches.c.title, searches.c.request)).all()
        found = [search_id for search_id, *said in told if says(said, sought)]
        for part in _chunks(found):
            db.execute(delete(marks).where(marks.c.search_id.in_(part)))
            db.execute(delete(searches).where(searches.c.search_id.in_(part)))
    return len(found)


def asking(facts: Facts, sought: re.Pattern[str]) -> int:
    """How many saved searches name one of what is `sought`."""
    with facts.read() as db:
        return sum(says(list(row), sought) for row in db.execute(select(searches.c.title, searches.c.request)))


def delete_work(facts: Facts, ids: Collection[str]) -> int:
    """Jobs and runs of these ids; how many of them there were."""
    found = set[str]()
    with facts.write() as db:
        for part in _chunks(ids):
            found.update(db.scalars(select(jobs.c.job_id).where(jobs.c.job_id.in_(part))))
            found.update(db.scalars(select(runs.c.run_id).where(runs.c.run_id.in_(part))))
            db.execute(delete(runs).where(runs.c.run_id.in_(part)))
            db.execute(delete(job_items).where(job_items.c.job_id.in_(part)))
            db.execute(delete(jobs).where(jobs.c.job_id.in_(part)))
    return len(found)


def unlist(facts: Facts, fingerprint: str, ids: Collection[str]) -> None:
    """Strike films from an encoder's ledger: the next ingest encodes them again."""
    with facts.write() as db:
        for part in _chunks(ids):
            mine = (embeddings.c.fingerprint == fingerprint) & embeddings.c.image_id.in_(part)
            db.execute(delete(embeddings).where(mine))


def _films(facts: Facts, where: object) -> Iterator[Kept]:
    query = select(images.c.image_id, images.c.study_id, images.c.thumbnail, images.c.pixel_sha256).where(where)  # type: ignore[arg-type]
    with facts.read() as db:
        for row in db.execute(query.order_by(images.c.image_id)):
            yield Kept(*row)


def _empty(db: Connection, dataset: str, studies: Collection[str]) -> set[str]:
    """Those of `studies` that no film is of."""
    used = set[str]()
    for part in _chunks(studies):
        query = select(images.c.study_id).where(images.c.dataset == dataset, images.c.study_id.in_(part))
        used.update(study for study in db.scalars(query) if study)
    return set(studies) - used


def _count(db: Connection, table: Table, ids: list[str]) -> int:
    return db.scalar(select(func.count()).select_from(table).where(table.c.image_id.in_(ids))) or 0


def _chunks(values: Collection[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))
