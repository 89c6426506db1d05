"""The stored films that a query *is*, and whose films are therefore no finding.

Features of chest X-rays identify people: without this, the nearest films are the same patient's.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import select

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, schema
from services.core.filters import Expr, all_of, equals, not_
from services.core.types import ImageRecord
from services.query.asked import By, Exclude, StoredFilm, UploadedFilm

_COPIES = 64  # the same file in more datasets than this is a test card, not somebody's film


def films(facts: Facts, by: By) -> list[ImageRecord]:
    """The records behind a query: the film named, or those of the very file uploaded. Raises NOT_FOUND."""
    match by:
        case StoredFilm(image_id):
            found = images.get(facts, [image_id])
            if image_id not in found:
                raise HilumError(ErrorCode.NOT_FOUND, "no such film; `images:query` lists those there are")
            return [found[image_id]]
        case UploadedFilm(data):
            digest = hashlib.sha256(data).hexdigest()
            column = schema.images.c
            query = select(column.image_id).where(column.bytes_sha256 == digest).order_by(column.image_id)
            with facts.read() as db:
                ids = list(db.scalars(query.limit(_COPIES)))
            return list(images.get(facts, ids).values()) if ids else []
        case _:
            return []


def exclusion(by: By, own: list[ImageRecord], exclude: Exclude) -> Expr | None:
    """The condition that leaves out what `exclude` says; None when nothing is left out."""
    parts: list[Expr | None] = []
    for record in own:
        if exclude is not Exclude.NONE or isinstance(by, StoredFilm):
            parts.append(not_(equals("image_id", record.image_id)))
        if exclude is Exclude.PATIENT and record.patient_id:
            parts.append(_not_in(record.dataset, "patient_id", record.patient_id))
        elif exclude is not Exclude.NONE and record.study_id:
            parts.append(_not_in(record.dataset, "study_id", record.study_id))
    return all_of(*parts)


def same_patient(record: ImageRecord, own: list[ImageRecord]) -> bool:
    """Is `record` a film of a patient the query is a film of? Ids of people are unique within a dataset only."""
    return record.patient_id is not None and any(
        (record.dataset, record.patient_id) == (film.dataset, film.patient_id) for film in own
    )


def _not_in(dataset: str, field: str, value: str) -> Expr:
    whose = all_of(equals("dataset", dataset), equals(field, value))
    assert whose is not None
    return not_(whose)
