"""Films, their labels and reports, and which encoder holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from operator import itemgetter

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    delete,
    exists,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from services.core.facts.db import Facts, now
from services.core.facts.profiles import profile
from services.core.facts.schema import boxes, embeddings, images, labels, profiles, reports
from services.core.labels import Box, Label, LabelState, settle
from services.core.types import ImageRecord, Report

_COLUMNS = [field.name for field in fields(ImageRecord)][:-2]  # the last are labels and boxes
_CHUNK = 500  # below SQLite's bound on variables in a statement

# Built once: every answer to a search reads these.
_IDS: BindParameter[str] = bindparam("ids", expanding=True)
# `boxed`: has it boxes at all? Few films have, and a question reads records twice.
_BOXED = exists().where(boxes.c.image_id == images.c.image_id).label("boxed")
_BY_ID = select(images, _BOXED).where(images.c.image_id.in_(_IDS))
# In the order of their keys, so that nothing is sorted.
_LABELS_OF = select(labels).where(labels.c.image_id.in_(_IDS)).order_by(*labels.primary_key.columns)
_BOXES_OF = select(boxes).where(boxes.c.image_id.in_(_IDS)).order_by(boxes.c.image_id, boxes.c.number)
_HELD_OF = (
    select(func.count())
    .select_from(embeddings)
    .where(embeddings.c.fingerprint == bindparam("fingerprint"), embeddings.c.image_id.in_(_IDS))
)
_STATES = {state.value: state for state in LabelState}
# A row for each film, not for each of its vectors.
_LEDGERS_OF = (
    select(embeddings.c.image_id, func.aggregate_strings(embeddings.c.fingerprint, " "))
    .where(embeddings.c.image_id.in_(_IDS))
    .group_by(embeddings.c.image_id)
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A film ready to be committed: its record, its picture, and the encoders whose vectors the engine acknowledged."""

    record: ImageRecord
    thumbnail: str
    fingerprints: tuple[str, ...]


def insert(facts: Facts, table: Table) -> sqlite.Insert | postgresql.Insert:
    """The dialect's INSERT, which knows ON CONFLICT."""
    return postgresql.insert(table) if facts.engine.dialect.name == "postgresql" else sqlite.insert(table)


def commit(facts: Facts, stored: Sequence[Stored]) -> None:
    """Write films, labels and ledger in one transaction. The same film again replaces its facts and adds encoders."""
    films = {item.record.image_id: item for item in stored}  # of the same film twice, the last counts
    stored = [films[image_id] for image_id in sorted(films)]  # in one order: two that write the same films never block
    if not stored:  # each other for good
        return
    stamp = now()
    ids = [item.record.image_id for item in stored]
    settled = {item.record.image_id: settle(item.record.labels) for item in stored}
    numbered = {i: profile((said.name, said.source, said.state.value) for said in all_) for i, all_ in settled.items()}
    rows = [
        {
            **{name: getattr(item.record, name) for name in _COLUMNS},
            "thumbnail": item.thumbnail,
            "profile": numbered[item.record.image_id][0],
            "created_at": stamp,
            "updated_at": stamp,
        }
        for item in stored
    ]
    label_rows = [
        {"image_id": image_id, **asdict(label), "state": label.state.value}
        for image_id, said in settled.items()
        for label in said
    ]
    sayings = [{"profile": number, "said": said} for number, said in sorted(dict(numbered.values()).items()) if said]
    box_rows = [
        {"image_id": item.record.image_id, "number": number, **asdict(box)}
        for item in stored
        for number, box in enumerate(item.record.boxes)
    ]
    ledger = [
        {"image_id": item.record.image_id, "fingerprint": fingerprint, "created_at": stamp}
        for item in stored
        for fingerprint in item.fingerprints
    ]
    upsert = insert(facts, images)
    upsert = upsert.on_conflict_do_update(
        index_elements=["image_id"],
        set_={name: upsert.excluded[name] for name in [*_COLUMNS[1:], "thumbnail", "profile", "updated_at"]},
    )
    with facts.write() as db:
        if sayings:
            db.execute(insert(facts, profiles).on_conflict_do_nothing(), sayings)
        db.execute(upsert, rows)
        for part in _chunks(ids):
            db.execute(delete(labels).where(labels.c.image_id.in_(part)))
            db.execute(delete(boxes).where(boxes.c.image_id.in_(part)))
        if label_rows:
            db.execute(insert(facts, labels).on_conflict_do_nothing(), label_rows)
        if box_rows:
            db.execute(insert(facts, boxes), box_rows)
        if ledger:
            db.execute(insert(facts, embeddings).on_conflict_do_nothing(), ledger)


def hold(facts: Facts, ids: Sequence[str], fingerprint: str) -> None:
    """Note that the engine holds the vectors of stored films with one more encoder; their facts stay."""
    stamp = now()
    rows = [{"image_id": image_id, "fingerprint": fingerprint, "created_at": stamp} for image_id in ids]
    if rows:
        with facts.write() as db:
            db.execute(insert(facts, embeddings).on_conflict_do_nothing(), rows)


def save_reports(facts: Facts, batch: Sequence[Report]) -> None:
    """Store report sections; the same section again is replaced."""
    if not batch:
        return
    upsert = insert(facts, reports)
    upsert = upsert.on_conflict_do_update(
        index_elements=["dataset", "study_id", "section"], set_={"text": upsert.excluded["text"]}
    )
    with facts.write() as db:
        db.execute(
            upsert,
            [
                {"dataset": r.dataset, "study_id": r.study_id, "section": r.section, "text": r.text.replace("\0", " ")}
                for r in batch
            ],
        )


def reports_of(facts: Facts, dataset: str, study_id: str) -> dict[str, str]:
    """Section → text of one study."""
    query = select(reports.c.section, reports.c.text).where(
        reports.c.dataset == dataset, reports.c.study_id == study_id
    )
    with facts.read() as db:
        return dict(db.execute(query).tuples().all())


def get(facts: Facts, ids: Iterable[str]) -> dict[str, ImageRecord]:
    """image_id → record with its labels, for those that are stored."""
    found: dict[str, ImageRecord] = {}
    with facts.read() as db:
        for part in _chunks(list(ids)):
            found.update(_records(db, _BY_ID, part))
    return found


def by_bytes(facts: Facts, dataset: str, digests: Iterable[str]) -> dict[str, list[str]]:
    """bytes_sha256 → ids of the films of `dataset` that were read from exactly these bytes."""
    found: dict[str, list[str]] = {}
    with facts.read() as db:
        for part in _chunks(list(digests)):
            same = images.c.bytes_sha256.in_(part) & (images.c.dataset == dataset)
            for digest, image_id in db.execute(select(images.c.bytes_sha256, images.c.image_id).where(same)):
                found.setdefault(digest, []).append(image_id)
    return found


def studies(facts: Facts, dataset: str) -> set[str]:
    """The study ids that films of `dataset` have."""
    query = select(images.c.study_id).where(images.c.dataset == dataset, images.c.study_id.is_not(None)).distinct()
    with facts.read() as db:
        return {study_id for study_id in db.scalars(query) if study_id is not None}


def get_held(facts: Facts, ids: Iterable[str]) -> dict[str, tuple[ImageRecord, frozenset[str]]]:
    """image_id → its record with labels, and the fingerprints whose vectors of it are acknowledged, in one reading."""
    found: dict[str, tuple[ImageRecord, frozenset[str]]] = {}
    with facts.read() as db:
        for part in _chunks(list(ids)):
            held = _ledgers(db, part)
            for image_id, record in _records(db, _BY_ID, part).items():
                found[image_id] = record, held.get(image_id, frozenset())
    return found


def page(facts: Facts, query: Select[tuple[str]], after: str, size: int) -> list[ImageRecord]:
    """The next `size` films of `query` (a select of image ids) in the order of their ids, behind `after`."""
    picked = select(images).where(images.c.image_id.in_(query), images.c.image_id > after)
    with facts.read() as db:
        return list(_records(db, picked.order_by(images.c.image_id).limit(size)).values())


def thumbnails(facts: Facts, ids: Iterable[str]) -> dict[str, str]:
    """image_id → sha256 of its picture in blobs."""
    found: dict[str, str] = {}
    with facts.read() as db:
        for part in _chunks(list(ids)):
            query = select(images.c.image_id, images.c.thumbnail).where(images.c.image_id.in_(part))
            found.update(db.execute(query).tuples().all())
    return found


def ledger(facts: Facts, ids: Iterable[str]) -> dict[str, frozenset[str]]:
    """image_id → fingerprints whose vectors are acknowledged; films without any are not listed."""
    found: dict[str, frozenset[str]] = {}
    with facts.read() as db:
        for part in _chunks(list(ids)):
            found |= _ledgers(db, part)
    return found


def unheld(facts: Facts, ids: Sequence[str], fingerprint: str) -> set[str]:
    """Those of `ids`, each named once, whose vector of one encoder is not acknowledged. Mostly none is: they are
    counted first."""
    missing: set[str] = set()
    with facts.read() as db:
        for part in _chunks(list(ids)):
            given = {"ids": part, "fingerprint": fingerprint}
            if db.scalar(_HELD_OF, given) != len(part):
                held = _ledgers(db, part)
                missing.update(image_id for image_id in part if fingerprint not in held.get(image_id, ()))
    return missing


def ids_of(facts: Facts, fingerprint: str | None = None) -> set[str]:
    """Ids of all films, or of those stored with one encoder."""
    query = (
        select(images.c.image_id)
        if fingerprint is None
        else select(embeddings.c.image_id).where(embeddings.c.fingerprint == fingerprint)
    )
    with facts.read() as db:
        return set(db.scalars(query))


def those(facts: Facts, ids: Iterable[str], seen: ColumnElement[bool] | None = None) -> list[str]:
    """Those of `ids` that are stored, and fulfil `seen`."""
    found = list[str]()
    with facts.read() as db:
        for part in _chunks(sorted(set(ids))):
            query = select(images.c.image_id).where(images.c.image_id.in_(part))
            found += db.scalars(query if seen is None else query.where(seen))
    return found


def stated_findings(facts: Facts) -> set[str]:
    """Every finding that somebody stated of some film."""
    with facts.read() as db:
        return set(db.scalars(select(labels.c.name).distinct()))


def count_by_model(facts: Facts) -> dict[str, int]:
    """fingerprint → number of films."""
    query = select(embeddings.c.fingerprint, func.count()).group_by(embeddings.c.fingerprint)
    with facts.read() as db:
        return dict(db.execute(query).tuples().all())


def lacking(fingerprint: str, dataset: str = "") -> Select[tuple[str]]:
    """Ids of the films, not of CT slices, that have no vector of an encoder."""
    held = select(embeddings.c.image_id).where(embeddings.c.fingerprint == fingerprint)
    query = select(images.c.image_id).where(
        images.c.image_id.not_in(held), images.c.modality.is_(None) | (images.c.modality != "CT")
    )
    return query.where(images.c.dataset == dataset) if dataset else query


def count(facts: Facts, query: Select[tuple[str]]) -> int:
    """How many films `query` selects."""
    with facts.read() as db:
        return db.scalar(select(func.count()).select_from(query.subquery())) or 0


def datasets(facts: Facts, query: Select[tuple[str]]) -> list[str]:
    """The datasets of the films that `query` (a select of image ids) selects, in alphabetical order."""
    with facts.read() as db:
        picked = select(images.c.dataset).where(images.c.image_id.in_(query)).distinct()
        return list(db.scalars(picked.order_by(images.c.dataset)))


def overlap(facts: Facts, one: str, other: str) -> tuple[int, int, int]:
    """How many films two encoders both hold, only the one does, only the other does."""
    both = count(facts, _both(one, other))
    held = count_by_model(facts)
    return both, held.get(one, 0) - both, held.get(other, 0) - both


def held_by_both(facts: Facts, one: str, other: str, most: int) -> list[str]:
    """The first ids of the films that two encoders both hold."""
    with facts.read() as db:
        return list(db.scalars(_both(one, other).order_by(embeddings.c.image_id).limit(most)))


def _both(one: str, other: str) -> Select[tuple[str]]:
    theirs = select(embeddings.c.image_id).where(embeddings.c.fingerprint == other)
    return select(embeddings.c.image_id).where(embeddings.c.fingerprint == one, embeddings.c.image_id.in_(theirs))


def _records(db: Connection, query: Select[tuple[object, ...]], ids: Sequence[str] = ()) -> dict[str, ImageRecord]:
    result = db.execute(query, {"ids": ids} if ids else {})
    names = list(result.keys())
    told = itemgetter(*map(names.index, _COLUMNS))
    rows = result.all()
    found = {values[0]: values for values in map(told, rows)}
    boxed = "boxed" not in names or any(map(itemgetter(names.index("boxed")), rows))
    stated: dict[str, list[Label]] = {image_id: [] for image_id in found}
    drawn: dict[str, list[Box]] = {}
    for part in _chunks(list(found)):
        for image_id, name, source, state, *rest in db.execute(_LABELS_OF, {"ids": part}).all():
            stated[image_id].append(Label(name, _STATES[state], source, *rest))
        for image_id, _, name, *rest in db.execute(_BOXES_OF, {"ids": part}).all() if boxed else ():
            drawn.setdefault(image_id, []).append(Box(name, *rest))
    return {
        image_id: ImageRecord(*(*values, tuple(stated[image_id]), tuple(drawn.get(image_id, ()))))
        for image_id, values in found.items()
    }


def _ledgers(db: Connection, ids: Sequence[str]) -> dict[str, frozenset[str]]:
    rows = db.execute(_LEDGERS_OF, {"ids": ids}).all()
    alike = {joined: frozenset(joined.split()) for joined in {joined for _, joined in rows}}
    return {image_id: alike[joined] for image_id, joined in rows}


def _chunks(ids: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
