"""Sets of films by name: cohorts that somebody froze, clusters of an analysis.

A set is there, and filters find its films, as soon as it is committed; ``ready`` says that every point of the vector
engine carries its name, too. `core.sets` sees to that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    JSON,
    ColumnElement,
    Select,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts.db import Facts, now
from services.core.facts.schema import embeddings, images, members, sets
from services.core.filters.sql import Condition

COHORT, CLUSTER = "cohort", "cluster"
WRITING, READY, DELETING = "writing", "ready", "deleting"
_CHUNK = 500
_AT_ONCE = 20_000  # ids of one statement


@dataclass(frozen=True, slots=True)
class FilmSet:
    """A set of films. `about` says where it comes from; `films` counts those that the asker may see."""

    set_id: str
    kind: str
    state: str
    title: str
    about: dict[str, object]
    created_at: str
    films: int


def name(text: str) -> str:
    """The name of a cohort, as filters write it. Raises INVALID_ARGUMENT; clusters have slashes, cohorts have not."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise invalid("the name of a cohort has letters, digits, '.', '_' and '-', at most 64, and begins with one")
    return text


def create(
    facts: Facts, set_id: str, kind: str, title: str, about: Mapping[str, object], films: Iterable[str] | Condition
) -> None:
    """Make a set of `films`: their ids, or the condition they fulfil now. All of it or nothing.

    Ids of films that are not stored are passed over. Raises ALREADY_EXISTS, and FAILED_PRECONDITION where no film is
    left: nobody would find a set without films again.
    """
    row = {
        "set_id": set_id, "kind": kind, "state": WRITING, "title": title, "about": dict(about), "created_at": now(),
    }  # fmt: skip
    try:
        with facts.write() as db:
            db.execute(insert(sets), [row])
            taken = 0
            for query in _parts(facts, films):
                picked = query.add_columns(literal(set_id))
                taken += db.execute(insert(members).from_select(["image_id", "set_id"], picked)).rowcount
            if not taken:
                raise HilumError(ErrorCode.FAILED_PRECONDITION, f"no film is selected; a {kind} has at least one")
    except IntegrityError:
        raise HilumError(
            ErrorCode.ALREADY_EXISTS, f"there is a {kind} of this name; delete it first, or choose another name"
        ) from None


def _parts(facts: Facts, films: Iterable[str] | Condition) -> Iterator[Select[tuple[str]]]:
    """Ids go as one JSON text: a list of a million parameters takes longer to write than to look up."""
    picked = select(images.c.image_id)
    if isinstance(films, ColumnElement):
        yield picked.where(films)
        return
    ids = sorted(set(films))
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        read = func.json_array_elements_text(cast(part, JSON)) if facts.shared else func.json_each(json.dumps(part))
        yield picked.where(images.c.image_id.in_(select(read.table_valued("value").c.value)))


def listed(
    facts: Facts, kind: str = "", after: str = "", size: int = 1_000, seen: Condition | None = None, begins: str = ""
) -> list[FilmSet]:
    """Sets in the order of their names, behind `after`, with how many of their films fulfil `seen`; only those that
    have one, where there is such a condition."""
    inside = select(members.c.set_id, func.count().label("films")).group_by(members.c.set_id)
    if seen is not None:
        inside = inside.join(images, images.c.image_id == members.c.image_id).where(seen)
    counted = inside.subquery()
    query = (
        select(sets, func.coalesce(counted.c.films, 0).label("films"))
        .join(counted, counted.c.set_id == sets.c.set_id, isouter=seen is None)
        .where(
            sets.c.state != DELETING,
            sets.c.set_id > after,
            sets.c.kind == kind if kind else true(),
            sets.c.set_id.startswith(begins, autoescape=True) if begins else true(),
        )
    )
    with facts.read() as db:
        return [FilmSet(**row) for row in db.execute(query.order_by(sets.c.set_id).limit(size)).mappings()]


def get(facts: Facts, set_id: str, seen: Condition | None = None) -> FilmSet:
    """One set. Raises NOT_FOUND."""
    found = listed(facts, seen=seen, begins=set_id, size=1)
    if not found or found[0].set_id != set_id:
        raise HilumError(ErrorCode.NOT_FOUND, "no such set; `hilum sets list` shows those there are")
    return found[0]


def members_of(facts: Facts, set_id: str) -> list[str]:
    """The films of a set, by id."""
    with facts.read() as db:
        return list(
            db.scalars(select(members.c.image_id).where(members.c.set_id == set_id).order_by(members.c.image_id))
        )


def counted(facts: Facts, set_id: str) -> dict[str, int]:
    """How many films, studies and patients a set has; a film that names no study, or no patient, is one of its own."""
    mine = select(images.c.dataset, images.c.image_id, images.c.study_id, images.c.patient_id)
    mine = mine.join(members, members.c.image_id == images.c.image_id).where(members.c.set_id == set_id)
    own = mine.subquery()

    def distinct(column: ColumnElement[str | None]) -> ColumnElement[int]:
        named = case((func.coalesce(column, "") == "", own.c.image_id), else_=own.c.dataset + "/" + column)
        return func.count(named.distinct())

    query = select(func.count(), distinct(own.c.study_id), distinct(own.c.patient_id)).select_from(own)
    with facts.read() as db:
        return dict(zip(("images", "studies", "patients"), db.execute(query).one(), strict=True))


def of(facts: Facts, ids: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """image_id → kind → names of the sets that it is in, for films that are in any."""
    found: dict[str, dict[str, list[str]]] = {}
    query = select(members.c.image_id, sets.c.kind, sets.c.set_id).join(sets, sets.c.set_id == members.c.set_id)
    query = query.where(sets.c.state != DELETING).order_by(members.c.image_id, sets.c.set_id)
    with facts.read() as db:
        for start in range(0, len(ids), _CHUNK):
            part = members.c.image_id.in_(ids[start : start + _CHUNK])
            for image_id, kind, set_id in db.execute(query.where(part)):
                found.setdefault(image_id, {}).setdefault(kind, []).append(set_id)
    return found


def unfinished(facts: Facts) -> dict[str, str]:
    """Name → state of the sets whose films' points are not yet as they should be."""
    with facts.read() as db:
        rows = db.execute(select(sets.c.set_id, sets.c.state).where(sets.c.state != READY).order_by(sets.c.set_id))
        return dict(rows.tuples().all())


def move(facts: Facts, set_ids: Iterable[str], before: str, after: str) -> None:
    """Let those of the sets that are in state `before` be in state `after`."""
    with facts.write() as db:
        for set_id in set_ids:
            mine = and_(sets.c.set_id == set_id, sets.c.state == before)
            db.execute(update(sets).where(mine).values(state=after))


def withdraw(facts: Facts, run_id: str) -> int:
    """Delete the cohorts that an analysis made before it was cut short; how many. Their points go with `core.sets`."""
    made = [one.set_id for one in listed(facts, COHORT, size=1_000_000) if one.about.get("run_id") == run_id]
    for state in (WRITING, READY):
        move(facts, made, state, DELETING)
    return len(made)


def drop(facts: Facts, set_ids: Iterable[str]) -> None:
    """Delete sets whose films' points say nothing of them any more."""
    with facts.write() as db:
        for set_id in set_ids:
            gone = and_(sets.c.set_id == set_id, sets.c.state == DELETING)
            theirs = select(sets.c.set_id).where(gone)
            db.execute(delete(members).where(members.c.set_id.in_(theirs)))
            db.execute(delete(sets).where(gone))


def held(facts: Facts, set_ids: Sequence[str], fingerprint: str, after: str, size: int) -> list[str]:
    """The next `size` films of any of the sets, behind `after`, that an encoder holds."""
    query = (
        select(members.c.image_id)
        .join(embeddings, embeddings.c.image_id == members.c.image_id)
        .where(embeddings.c.fingerprint == fingerprint, members.c.image_id > after)
        .where(or_(*(members.c.set_id.in_(set_ids[i : i + _CHUNK]) for i in range(0, len(set_ids), _CHUNK))))
        .distinct()
        .order_by(members.c.image_id)
        .limit(size)
    )
    with facts.read() as db:
        return list(db.scalars(query))
