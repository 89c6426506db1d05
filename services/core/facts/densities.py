"""How crowded films' neighbourhoods are, by encoder: what tells a hub."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from services.core.facts.db import Facts
from services.core.facts.images import insert
from services.core.facts.schema import densities

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Density:
    """density: mean cosine with the film's k nearest films.  occurrences: how many films have it among theirs."""

    density: float
    occurrences: int


def save(facts: Facts, fingerprint: str, rows: Sequence[tuple[str, Density]]) -> None:
    """Replace what was known of an encoder's films by what was measured now."""
    with facts.write() as db:
        db.execute(delete(densities).where(densities.c.fingerprint == fingerprint))
        given = [
            {"fingerprint": fingerprint, "image_id": image_id, "density": one.density, "occurrences": one.occurrences}
            for image_id, one in rows
        ]
        for start in range(0, len(given), 5_000):
            db.execute(insert(facts, densities).on_conflict_do_nothing(), given[start : start + 5_000])


def of(facts: Facts, fingerprint: str, ids: Collection[str]) -> dict[str, Density]:
    """image_id → what was measured, for those of `ids` that were."""
    found: dict[str, Density] = {}
    column, ordered = densities.c, sorted(ids)
    with facts.read() as db:
        for start in range(0, len(ordered), _CHUNK):
            part = ordered[start : start + _CHUNK]
            query = select(column.image_id, column.density, column.occurrences)
            query = query.where(column.fingerprint == fingerprint, column.image_id.in_(part))
            found.update((image_id, Density(*rest)) for image_id, *rest in db.execute(query))
    return found


def usual(facts: Facts, fingerprint: str) -> tuple[int, float, float]:
    """How many films of an encoder were measured, their mean density and mean occurrences; zeros where none was."""
    column = densities.c
    query = select(func.count(), func.avg(column.density), func.avg(column.occurrences))
    with facts.read() as db:
        count, density, occurrences = db.execute(query.where(column.fingerprint == fingerprint)).one()
    return int(count), float(density or 0), float(occurrences or 0)
