"""Sections of reports, and in which collections of the engine they can be found.

An index is named by the fingerprint of its text space, or `WORDS`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select

from services.core.facts.db import Facts, now
from services.core.facts.images import insert
from services.core.facts.schema import embeddings, images, report_vectors, reports
from services.core.models import ModelSpec
from services.core.types import ReportKey

WORDS = "bm25"
_CHUNK = 500  # below SQLite's bound on variables in a statement
_OF_TEXT = (reports.c.dataset, reports.c.study_id, reports.c.section)
_OF_INDEX = (report_vectors.c.dataset, report_vectors.c.study_id, report_vectors.c.section)


@dataclass(frozen=True, slots=True)
class Section:
    """A section with its patient, and the digest of the text that an index holds of it (blank: none)."""

    key: ReportKey
    text: str
    patient_id: str | None
    indexed: str


def datasets(facts: Facts) -> list[str]:
    """Those that have reports."""
    with facts.read() as db:
        return list(db.scalars(select(reports.c.dataset).distinct().order_by(reports.c.dataset)))


def count(facts: Facts, dataset: str = "") -> int:
    """How many sections there are."""
    query = select(func.count()).select_from(reports)
    with facts.read() as db:
        return db.scalar(query.where(reports.c.dataset == dataset) if dataset else query) or 0


def count_within(facts: Facts, films: ColumnElement[bool]) -> int:
    """How many sections have a study with a film that passes `films`, a condition on `schema.images`."""
    passed = select(images.c.dataset, images.c.study_id).where(films).distinct().subquery()
    same = and_(passed.c.dataset == reports.c.dataset, passed.c.study_id == reports.c.study_id)
    with facts.read() as db:
        return db.scalar(select(func.count()).select_from(reports.join(passed, same))) or 0


def mean_letters(facts: Facts) -> float:
    """The mean length of a section."""
    with facts.read() as db:
        return float(db.scalar(select(func.avg(func.length(reports.c.text)))) or 0)


def page(facts: Facts, dataset: str, index: str, after: ReportKey | None, size: int) -> list[Section]:
    """The next `size` sections of a dataset behind `after`, in the order of their keys."""
    held = and_(
        *(one == other for one, other in zip(_OF_INDEX, _OF_TEXT, strict=True)), report_vectors.c.fingerprint == index
    )
    query = select(*_OF_TEXT, reports.c.text, report_vectors.c.text_sha256).outerjoin(report_vectors, held)
    query = query.where(reports.c.dataset == dataset)
    if after is not None:
        further = or_(reports.c.study_id > after.study_id, reports.c.section > after.section)
        query = query.where(reports.c.study_id >= after.study_id, further)  # a range of the key, not a scan
    with facts.read() as db:
        rows = db.execute(query.order_by(reports.c.study_id, reports.c.section).limit(size)).all()
        whose = _patients(db, dataset, {row.study_id for row in rows})
    return [Section(ReportKey(*row[:3]), row[3], whose.get(row.study_id), row[4] or "") for row in rows]


def _patients(db: Connection, dataset: str, studies: Collection[str]) -> dict[str, str]:
    """study_id → patient_id. Not by a join: SQLite would seek each study's least patient along all there are."""
    found = dict[str, str]()
    for part in _parts(studies):
        query = select(images.c.study_id, images.c.patient_id).where(
            images.c.dataset == dataset, images.c.study_id.in_(part), images.c.patient_id.is_not(None)
        )
        for study, patient in db.execute(query):
            found[study] = min(patient, found.get(study, patient))
    return found


def begun(facts: Facts, dataset: str, index: str) -> bool:
    """Does an index hold anything of a dataset?"""
    mine = report_vectors.c
    query = select(mine.study_id).where(mine.dataset == dataset, mine.fingerprint == index).limit(1)
    with facts.read() as db:
        return db.scalar(query) is not None


def hold(facts: Facts, index: str, digests: Sequence[tuple[ReportKey, str]]) -> None:
    """Note that the engine holds these sections in an index, each as the digest says."""
    if not digests:
        return
    stamp = now()
    rows = [
        {"dataset": key.dataset, "study_id": key.study_id, "section": key.section, "fingerprint": index,
         "text_sha256": digest, "created_at": stamp}
        for key, digest in digests
    ]  # fmt: skip
    upsert = insert(facts, report_vectors)
    upsert = upsert.on_conflict_do_update(
        index_elements=["dataset", "study_id", "section", "fingerprint"],
        set_={name: upsert.excluded[name] for name in ("text_sha256", "created_at")},
    )
    with facts.write() as db:
        db.execute(upsert, rows)


def readers(facts: Facts, dataset: str, active: Iterable[ModelSpec]) -> list[ModelSpec]:
    """Those of the `active` models that read words and hold films of `dataset`."""
    found = []
    with facts.read() as db:
        for spec in (spec for spec in active if spec.text_space):
            theirs = select(embeddings.c.image_id).join(images, images.c.image_id == embeddings.c.image_id)
            theirs = theirs.where(embeddings.c.fingerprint == spec.fingerprint, images.c.dataset == dataset)
            if db.scalar(theirs.limit(1)) is not None:
                found.append(spec)
    return found


def texts(facts: Facts, keys: Collection[ReportKey]) -> dict[ReportKey, str]:
    """Key → text, of those that are stored."""
    found, wanted = dict[ReportKey, str](), set(keys)
    with facts.read() as db:
        for dataset, part in _by_dataset({(key.dataset, key.study_id) for key in wanted}):
            query = select(*_OF_TEXT, reports.c.text).where(reports.c.dataset == dataset, reports.c.study_id.in_(part))
            found.update((key, text) for *of, text in db.execute(query) if (key := ReportKey(*of)) in wanted)
    return found


def keys_of(facts: Facts, films: ColumnElement[bool], most: int) -> list[ReportKey] | None:
    """Keys of the sections whose study has a film that passes `films`, a condition on `schema.images`; None where more
    than `most` films do."""
    passed = select(images.c.dataset, images.c.study_id).where(films, images.c.study_id.is_not(None)).limit(most + 1)
    found = list[ReportKey]()
    with facts.read() as db:
        studies = db.execute(passed).all()
        if len(studies) > most:
            return None
        for dataset, part in _by_dataset({(dataset, str(study)) for dataset, study in studies}):
            query = select(*_OF_TEXT).where(reports.c.dataset == dataset, reports.c.study_id.in_(part))
            found += [ReportKey(*row) for row in db.execute(query)]
    return found


def films_of(
    facts: Facts, studies: Collection[tuple[str, str]], where: ColumnElement[bool]
) -> dict[tuple[str, str], list[str]]:
    """(dataset, study_id) → ids of its films that pass `where`, a condition on `schema.images`; no study without."""
    found: dict[tuple[str, str], list[str]] = {}
    with facts.read() as db:
        for dataset, part in _by_dataset(studies):
            query = select(images.c.study_id, images.c.image_id).where(
                images.c.dataset == dataset, images.c.study_id.in_(part), where
            )
            for study, image_id in db.execute(query.order_by(images.c.image_id)):
                found.setdefault((dataset, str(study)), []).append(image_id)
    return found


def sections_of(facts: Facts, dataset: str, studies: Collection[str]) -> list[ReportKey]:
    """Keys of every section that facts or an index know of these studies."""
    found = set[ReportKey]()
    with facts.read() as db:
        for part in _parts(studies):
            for columns in (_OF_TEXT, _OF_INDEX):
                query = select(*columns).where(columns[0] == dataset, columns[1].in_(part))
                found.update(ReportKey(*row) for row in db.execute(query))
    return sorted(found)


def unlist(db: Connection, dataset: str, studies: Collection[str]) -> int:
    """Strike studies from every index's ledger: the next indexing takes those up again that still have a report."""
    mine = report_vectors.c
    return sum(
        db.execute(delete(report_vectors).where(mine.dataset == dataset, mine.study_id.in_(part))).rowcount
        for part in _parts(studies)
    )


def listed(db: Connection, dataset: str, studies: Collection[str]) -> int:
    """How many rows every index's ledger has of these studies."""
    mine, counted = report_vectors.c, select(func.count()).select_from(report_vectors)
    return sum(
        db.scalar(counted.where(mine.dataset == dataset, mine.study_id.in_(part))) or 0 for part in _parts(studies)
    )


def _by_dataset(studies: Collection[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    of: dict[str, set[str]] = {}
    for dataset, study in studies:
        of.setdefault(dataset, set()).add(study)
    return ((dataset, part) for dataset, those in of.items() for part in _parts(those))


def _parts(values: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(set(values))
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))
