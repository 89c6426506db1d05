"""The stored films that a query *is*, and whose films are therefore no finding.

Features of chest X-rays identify people: without this, the nearest films are the same patient's.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import ColumnElement, select

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, schema
from services.core.filters import Expr, all_of, equals, not_, one_of, to_sql
from services.core.types import ImageRecord
from services.query.asked import Exclude
from services.query.by import By, FilmRegion, ReportWords, Single, StoredFilm, StudyFilms, UploadedFilm, parts

_COPIES = 64  # the same file in more datasets than this is a test card, not somebody's film
_OF_STUDY = 64


def films(facts: Facts, by: By | None, access: Expr | None = None) -> list[ImageRecord]:
    """The records behind a query: the films named, or those of the very files uploaded. Raises NOT_FOUND.

    access: a film that does not fulfil it is as if it were not there.
    """
    found: dict[str, ImageRecord] = {}
    for one, _ in parts(by):
        mine = _seen(facts, of(facts, one), access)
        if not mine and _is_named(one):
            raise HilumError(ErrorCode.NOT_FOUND, "no such film or study; `images:query` lists films")
        found.update((record.image_id, record) for record in mine)
    return list(found.values())


def _seen(facts: Facts, records: list[ImageRecord], access: Expr | None) -> list[ImageRecord]:
    if access is None or not records:
        return records
    column = schema.images.c.image_id
    passed = select(column).where(column.in_([record.image_id for record in records]), to_sql(access))
    with facts.read() as db:
        ids = set(db.scalars(passed))
    return [record for record in records if record.image_id in ids]


def _is_named(one: Single) -> bool:
    return isinstance(one.film if isinstance(one, FilmRegion) else one, StoredFilm | StudyFilms)


def of(facts: Facts, one: Single) -> list[ImageRecord]:
    """The records behind one thing looked for."""
    match one:
        case FilmRegion(film):
            return of(facts, film)
        case StoredFilm(image_id):
            found = images.get(facts, [image_id])
            if image_id not in found:
                raise HilumError(ErrorCode.NOT_FOUND, "no such film; `images:query` lists those there are")
            return [found[image_id]]
        case UploadedFilm(data):
            digest = hashlib.sha256(data).hexdigest()
            return _those(facts, schema.images.c.bytes_sha256 == digest, _COPIES)
        case ReportWords(dataset, study_id):
            column = schema.images.c
            return _those(facts, (column.dataset == dataset) & (column.study_id == study_id), _OF_STUDY)
        case StudyFilms(dataset, study_id):
            column = schema.images.c
            known = _those(facts, (column.dataset == dataset) & (column.study_id == study_id), _OF_STUDY)
            if not known:
                raise HilumError(ErrorCode.NOT_FOUND, "no such study in this dataset; `images:query` lists films")
            return known
        case _:
            return []


def named(by: By | None) -> set[str]:
    """Ids of the films that the query names: never answers to themselves."""
    return {
        film.image_id
        for one, _ in parts(by)
        if isinstance(film := one.film if isinstance(one, FilmRegion) else one, StoredFilm)
    }


def exclusion(by: By | None, own: list[ImageRecord], exclude: Exclude) -> Expr | None:
    """The condition that leaves out what `exclude` says; None when nothing is left out."""
    themselves = {record.image_id for record in own} if exclude is not Exclude.NONE else named(by)
    if any(isinstance(one, StudyFilms) for one, _ in parts(by)):
        themselves |= {record.image_id for record in own}
    out: list[Expr | None] = [not_(one_of("image_id", sorted(themselves)))] if themselves else []
    whose: dict[tuple[str, str], set[str]] = {}
    for record in own:
        if exclude is Exclude.PATIENT and record.patient_id:
            whose.setdefault((record.dataset, "patient_id"), set()).add(record.patient_id)
        elif exclude is not Exclude.NONE and record.study_id:
            whose.setdefault((record.dataset, "study_id"), set()).add(record.study_id)
    out += [_not_in(dataset, field, sorted(values)) for (dataset, field), values in whose.items()]
    return all_of(*out)


def same_patient(record: ImageRecord, own: list[ImageRecord]) -> bool:
    """Is `record` a film of a patient the query is a film of? Ids of people are unique within a dataset only."""
    return record.patient_id is not None and any(
        (record.dataset, record.patient_id) == (film.dataset, film.patient_id) for film in own
    )


def _those(facts: Facts, where: ColumnElement[bool], most: int) -> list[ImageRecord]:
    column = schema.images.c
    with facts.read() as db:
        ids = list(db.scalars(select(column.image_id).where(where).order_by(column.image_id).limit(most)))
    return list(images.get(facts, ids).values()) if ids else []


def _not_in(dataset: str, field: str, values: list[str]) -> Expr:
    whose = all_of(equals("dataset", dataset), one_of(field, values))
    assert whose is not None
    return not_(whose)
