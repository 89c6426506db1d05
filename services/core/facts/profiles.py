"""What is said of a film's findings, as one number that all films share of which the same is said.

An archive has millions of labels and far fewer different sets of them, so films are counted by finding without reading
a label. A number stands for the same words for ever: what was read of it once holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from services.core.facts.schema import images, labels, profiles

_PART = 5_000
Said = tuple[str, str, str]  # finding, source, state


def profile(said: Iterable[Said]) -> tuple[int, str]:
    """The number of a set of statements, and the statements as text; 0 and nothing where there are none."""
    ordered = sorted(said)
    if not ordered:
        return 0, ""
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True), text


def read(text: str) -> list[Said]:
    """The statements again."""
    return [(finding, source, state) for finding, source, state in json.loads(text)] if text else []


def unused(db: Connection) -> int:
    """Delete what no film has any more; how many there were."""
    used = select(images.c.profile).where(images.c.profile == profiles.c.profile).exists()
    return db.execute(delete(profiles).where(~used)).rowcount


def count_unused(db: Connection) -> int:
    """How many there are that no film has."""
    used = select(images.c.profile).where(images.c.profile == profiles.c.profile).exists()
    return db.scalar(select(func.count()).select_from(profiles).where(~used)) or 0


def fill(db: Connection) -> None:
    """Give the films of an older archive their numbers. Reads every label once."""
    known: set[int] = set()
    of_film = _stated(db)
    one = update(images).where(images.c.image_id == bindparam("film")).values(profile=bindparam("number"))
    while part := list(islice(of_film, _PART)):
        numbered = [(image_id, *profile(said)) for image_id, said in part]
        new = {number: text for _, number, text in numbered if number not in known}
        known.update(new)
        if new:
            db.execute(insert(profiles), [{"profile": number, "said": text} for number, text in new.items()])
        db.execute(one, [{"film": image_id, "number": number} for image_id, number, _ in numbered])


def _stated(db: Connection) -> Iterator[tuple[str, list[Said]]]:
    after = ""
    while True:
        films = select(labels.c.image_id).where(labels.c.image_id > after).distinct()
        ids = list(db.scalars(films.order_by(labels.c.image_id).limit(500)))
        if not ids:
            return
        rows = db.execute(
            select(labels.c.image_id, labels.c.name, labels.c.source, labels.c.state)
            .where(labels.c.image_id.in_(ids))
            .order_by(labels.c.image_id)
        )
        for image_id, stated in groupby(rows.tuples().all(), key=lambda row: row[0]):
            yield image_id, [(name, source, state) for _, name, source, state in stated]
        after = ids[-1]
