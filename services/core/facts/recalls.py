"""How well the approximate index finds what exact search finds, sampled from questions as they come."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select

from services.core.facts.db import Facts, now
from services.core.facts.schema import recalls

_KEPT = 10_000  # of every encoder; older ones say little about an index that has grown since


@dataclass(frozen=True, slots=True)
class Recall:
    """samples: questions compared.  mean: share of the exact nearest films that the index found; least: the worst."""

    samples: int
    mean: float
    least: float


def save(facts: Facts, fingerprint: str, k: int, recall: float, filtered: bool) -> None:
    """Note one comparison; the oldest beyond the bound go."""
    row = {"fingerprint": fingerprint, "k": k, "recall": recall, "filtered": filtered, "created_at": now()}
    mine = recalls.c.fingerprint == fingerprint
    with facts.write() as db:
        db.execute(recalls.insert().values(**row))
        edge = select(recalls.c.number).where(mine).order_by(recalls.c.number.desc()).offset(_KEPT).limit(1)
        db.execute(delete(recalls).where(mine, recalls.c.number <= edge.scalar_subquery()))


def told(facts: Facts, fingerprint: str, filtered: bool) -> Recall | None:
    """What was found for an encoder, for questions with or without a filter; None where nothing was compared."""
    column = recalls.c
    query = select(func.count(), func.avg(column.recall), func.min(column.recall))
    with facts.read() as db:
        samples, mean, least = db.execute(
            query.where(column.fingerprint == fingerprint, column.filtered == filtered)
        ).one()
    return Recall(int(samples), float(mean), float(least)) if samples else None
