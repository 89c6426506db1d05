"""The patient's own films, apart from the findings and in time order."""

from __future__ import annotations

from collections.abc import Sequence

from services.core.filters import Expr, all_of, any_of, equals, not_, one_of
from services.core.types import ImageRecord

MOST = 100


def of_patient(own: Sequence[ImageRecord], named: set[str]) -> Expr | None:
    """The condition for films of the patients that the query is of, the query's own left out; None: nobody known."""
    people = sorted({(film.dataset, film.patient_id) for film in own if film.patient_id})
    if not people:
        return None
    theirs = [all_of(equals("dataset", dataset), equals("patient_id", patient)) for dataset, patient in people]
    whose = any_of(*(one for one in theirs if one is not None))
    return all_of(whose, not_(one_of("image_id", sorted(named))) if named else None)


def in_time(record: ImageRecord) -> tuple[bool, str, float, str]:
    """Sorts films from the earliest study on; those of no known date stand last."""
    order = float(record.study_order) if record.study_order is not None else 0.0
    unknown = record.study_date is None and record.study_order is None
    return unknown, record.study_date or "", order, record.image_id
