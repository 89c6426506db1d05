"""Films drawn at random, one per patient: the same seed draws the same whatever else the archive holds besides.

Every patient has a number by the seed, and those with the lowest are drawn; of a patient the film with the lowest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from services.core.facts import Facts
from services.core.facts.schema import embeddings, images
from services.core.filters import Expr, to_sql

_PART = 10_000


@dataclass(frozen=True, slots=True)
class Film:
    """A film, and whose it is: ids of people are unique within a dataset only, and one of nobody known stands alone."""

    image_id: str
    person: str


def person(dataset: str, patient_id: str | None, image_id: str) -> str:
    """Whose film it is."""
    return f"{dataset}/{patient_id}" if patient_id else image_id


def number(seed: int, *words: object) -> int:
    """A number that only depends on these: what comes first is decided by it, today and in ten years."""
    text = "\0".join(map(str, (seed, *words)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def films(
    facts: Facts, where: Expr | None, fingerprint: str, seed: int, most: int, barred: Collection[str] = ()
) -> list[Film]:
    """Up to `most` films that pass `where`, have a picture and are held by the encoder, of different people who are not
    `barred`, in the order of the draw. Reads every film that passes once, and keeps few of them."""
    column = images.c
    query = (
        select(column.image_id, column.dataset, column.patient_id)
        .join(embeddings, embeddings.c.image_id == column.image_id)
        .where(embeddings.c.fingerprint == fingerprint, column.thumbnail != "")
    )
    if where is not None:
        query = query.where(to_sql(where))
    best: dict[str, tuple[int, int, str]] = {}  # person → their number, their film's, the film
    border = 2**64
    with facts.read() as db:
        for image_id, dataset, patient_id in db.execution_options(yield_per=_PART).execute(query):
            who = person(dataset, patient_id, image_id)
            drawn = number(seed, who)
            if drawn > border or who in barred:
                continue
            own = (drawn, number(seed, image_id), image_id)
            if who not in best or own < best[who]:
                best[who] = own
            if len(best) > 4 * most + _PART:
                kept = sorted(best.items(), key=lambda item: item[1])[:most]
                best, border = dict(kept), kept[-1][1][0]
    ordered = sorted(best.items(), key=lambda item: item[1])[:most]
    return [Film(image_id, who) for who, (_, _, image_id) in ordered]
