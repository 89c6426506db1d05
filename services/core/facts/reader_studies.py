"""Reader studies: what is asked of readers, in sets, and what each answered.

A set names its films; an answer names places in its set only. So a film that is forgotten takes its sets with it, and
what was answered to them: such a set has an empty content, is not shown any more, and counts as withdrawn.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from services.core.errors import ErrorCode, HilumError
from services.core.facts.db import Facts, now
from services.core.facts.images import insert
from services.core.facts.removal import says
from services.core.facts.schema import (
    images,
    reader_answers,
    reader_films,
    reader_sets,
    reader_studies,
    readers,
)
from services.core.filters.sql import Condition

OPEN, CLOSED = "open", "closed"
_MOST = 1_000
Content = dict[str, object]


@dataclass(frozen=True, slots=True)
class Study:
    """A study. about: the model, its fingerprint and where the sets come from."""

    study_id: str
    owner: str
    title: str
    state: str
    design: dict[str, object]
    about: dict[str, object]
    created_at: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who was invited."""

    reader_id: str
    study_id: str
    name: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader said of a set. answer: places of the set's own order.  seconds: that it was on their screen."""

    reader_id: str
    number: int
    answer: dict[str, list[int]]
    seconds: float
    updated_at: str


def create(
    facts: Facts, owner: str, title: str, design: Mapping[str, object], about: Mapping[str, object],
    contents: Sequence[tuple[Content, Sequence[str]]],
) -> str:  # fmt: skip
    """Keep a study; its id. contents: of each set what it is, and the films it shows. Raises FAILED_PRECONDITION when
    one of them has gone meanwhile."""
    study_id = str(uuid.uuid4())
    row = {"study_id": study_id, "owner": owner, "title": title, "state": OPEN, "design": dict(design)}
    shown = [
        {"study_id": study_id, "number": number, "image_id": image_id}
        for number, (_, films) in enumerate(contents)
        for image_id in sorted(set(films))
    ]
    try:
        with facts.write() as db:
            db.execute(reader_studies.insert(), [{**row, "about": dict(about), "created_at": now()}])
            db.execute(
                reader_sets.insert(),
                [{"study_id": study_id, "number": n, "content": content} for n, (content, _) in enumerate(contents)],
            )
            db.execute(reader_films.insert(), shown)
    except IntegrityError:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "a film was removed while sets were drawn; try again") from None
    return study_id


def get(facts: Facts, owner: str, study_id: str, seen: Condition | None = None) -> Study:
    """One of `owner`'s studies. Raises NOT_FOUND, also where it shows a film that does not fulfil `seen`."""
    found = _study(facts, study_id, seen)
    if found is None or found.owner != owner:
        raise _missing()
    return found


def read(facts: Facts, who: Reader, seen: Condition | None = None) -> Study:
    """The study that somebody was invited to. Raises NOT_FOUND as `get`."""
    found = _study(facts, who.study_id, seen)
    if found is None:
        raise _missing()
    return found


def repeats(study: Study) -> list[int]:
    """The sets that the last ones of a study repeat, in their order."""
    told = study.about.get("repeats")
    return list(told) if isinstance(told, list) else []


def listed(facts: Facts, owner: str, seen: Condition | None = None) -> list[Study]:
    """`owner`'s studies, the newest first, but for those that show a film which does not fulfil `seen`."""
    query = select(reader_studies).where(reader_studies.c.owner == owner)
    query = query.order_by(reader_studies.c.created_at.desc(), reader_studies.c.study_id).limit(_MOST)
    with facts.read() as db:
        rows = db.execute(query).mappings().all()
    hidden = _hidden(facts, seen)
    return [Study(**row) for row in rows if row["study_id"] not in hidden]


def move(facts: Facts, study_id: str, state: str) -> None:
    """Open or close a study."""
    with facts.write() as db:
        db.execute(update(reader_studies).where(reader_studies.c.study_id == study_id).values(state=state))


def remove(facts: Facts, study_id: str) -> int:
    """Delete a study with its readers and answers; how many answers there were."""
    theirs = select(readers.c.reader_id).where(readers.c.study_id == study_id)
    with facts.write() as db:
        gone = db.execute(delete(reader_answers).where(reader_answers.c.reader_id.in_(theirs))).rowcount
        for table in (readers, reader_films, reader_sets, reader_studies):
            db.execute(delete(table).where(table.c.study_id == study_id))
    return gone


def size(facts: Facts, study_id: str) -> int:
    """How many sets a study has, withdrawn ones and repeats included."""
    with facts.read() as db:
        query = select(func.count()).select_from(reader_sets).where(reader_sets.c.study_id == study_id)
        return db.scalar(query) or 0


def content(facts: Facts, study_id: str, number: int) -> Content:
    """What one set is, as `contents`."""
    found = contents(facts, study_id, number)
    return found[0] if found else {}


def contents(facts: Facts, study_id: str, only: int | None = None) -> list[Content]:
    """What each set is, in order; empty for one that is withdrawn. A set one of whose films is not stored is."""
    shown = select(reader_films.c.number, func.count()).where(reader_films.c.study_id == study_id)
    query = select(reader_sets.c.number, reader_sets.c.content).where(reader_sets.c.study_id == study_id)
    if only is not None:
        shown, query = shown.where(reader_films.c.number == only), query.where(reader_sets.c.number == only)
    with facts.read() as db:
        there: dict[int, int] = dict(db.execute(shown.group_by(reader_films.c.number)).tuples().all())
        rows = db.execute(query.order_by(reader_sets.c.number)).tuples().all()
    return [content if content and there.get(number) == _films(content) else {} for number, content in rows]


def invite(facts: Facts, study_id: str, name: str, token_sha256: str, renew: bool = False) -> Reader:
    """Let somebody read, or give one who was invited another token. Raises ALREADY_EXISTS, NOT_FOUND."""
    mine = (readers.c.study_id == study_id) & (readers.c.name == name)
    row = {"reader_id": str(uuid.uuid4()), "study_id": study_id, "name": name, "created_at": now()}
    try:
        with facts.write() as db:
            if renew:
                if not db.execute(update(readers).where(mine).values(token_sha256=token_sha256)).rowcount:
                    raise HilumError(ErrorCode.NOT_FOUND, "nobody of this name was invited")
            else:
                db.execute(readers.insert(), [{**row, "token_sha256": token_sha256}])
    except IntegrityError:
        raise HilumError(
            ErrorCode.ALREADY_EXISTS, "somebody of this name was invited already; renew their link, or choose another"
        ) from None
    return next(one for one in invited(facts, study_id) if one.name == name)


def invited(facts: Facts, study_id: str) -> list[Reader]:
    """Everybody who was invited to a study, in the order of invitation."""
    return _readers(facts, readers.c.study_id == study_id)


def reader(facts: Facts, token_sha256: str) -> Reader | None:
    """Whose token this is."""
    found = _readers(facts, readers.c.token_sha256 == token_sha256)
    return found[0] if found else None


def answer(facts: Facts, who: Reader, number: int, said: Mapping[str, list[int]], seconds: float) -> None:
    """Keep what a reader says of a set; the last word counts. Raises FAILED_PRECONDITION once the study is closed."""
    stamp = now()
    row = {"reader_id": who.reader_id, "number": number, "answer": dict(said), "seconds": seconds}
    kept = insert(facts, reader_answers)
    kept = kept.on_conflict_do_update(
        index_elements=["reader_id", "number"],
        set_={name: kept.excluded[name] for name in ("answer", "seconds", "updated_at")},
    )
    state = select(reader_studies.c.state).where(reader_studies.c.study_id == who.study_id)
    there = (reader_sets.c.study_id == who.study_id) & (reader_sets.c.number == number)
    with facts.write() as db:
        if db.scalar(state) != OPEN:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "the study is closed; it takes no answers any more")
        if not db.scalar(select(reader_sets.c.content).where(there)):
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "this set is not shown any more; go on with another")
        db.execute(kept, [{**row, "created_at": stamp, "updated_at": stamp}])


def answers(facts: Facts, study_id: str, reader_id: str = "") -> list[Answer]:
    """What was answered, by reader and set."""
    column = reader_answers.c
    query = select(column.reader_id, column.number, column.answer, column.seconds, column.updated_at)
    query = query.join(readers, readers.c.reader_id == column.reader_id).where(readers.c.study_id == study_id)
    if reader_id:
        query = query.where(column.reader_id == reader_id)
    with facts.read() as db:
        return [
            Answer(*row) for row in db.execute(query.order_by(readers.c.created_at, column.reader_id, column.number))
        ]


def withdraw(facts: Facts, sought: re.Pattern[str]) -> int:
    """Empty the sets that name one of what is `sought`, drop what was answered to them, and leave out of studies'
    words what says it; how many sets and studies there were."""
    with facts.write() as db:
        told = db.execute(select(reader_sets.c.study_id, reader_sets.c.number, reader_sets.c.content)).tuples().all()
        found = [(study_id, number) for study_id, number, content in told if says(content, sought)]
        for study_id, number in found:
            mine = (reader_sets.c.study_id == study_id) & (reader_sets.c.number == number)
            db.execute(update(reader_sets).where(mine).values(content={}))
            shown = (reader_films.c.study_id == study_id) & (reader_films.c.number == number)
            db.execute(delete(reader_films).where(shown))
            theirs = select(readers.c.reader_id).where(readers.c.study_id == study_id)
            of_set = (reader_answers.c.number == number) & reader_answers.c.reader_id.in_(theirs)
            db.execute(delete(reader_answers).where(of_set))
        named = [study for study in _all(db) if says(_words(study), sought)]
        for study in named:
            values = {name: _without(value, sought) for name, value in _words(study).items()}
            db.execute(update(reader_studies).where(reader_studies.c.study_id == study.study_id).values(**values))
    return len(found) + len(named)


def naming(facts: Facts, sought: re.Pattern[str]) -> int:
    """How many sets and studies say one of what is `sought`."""
    with facts.read() as db:
        return sum(says(content, sought) for content in db.scalars(select(reader_sets.c.content))) + sum(
            says(_words(study), sought) for study in _all(db)
        )


def _all(db: Connection) -> list[Study]:
    return [Study(**row) for row in db.execute(select(reader_studies)).mappings()]


def _words(study: Study) -> dict[str, object]:
    return {"title": study.title, "design": study.design, "about": study.about}


def _without(told: object, sought: re.Pattern[str]) -> object:
    """The same with no text that says it."""
    match told:
        case str():
            return "" if sought.search(told) else told
        case Mapping():
            return {key: _without(value, sought) for key, value in told.items() if not says(key, sought)}
        case list():
            return [_without(value, sought) for value in told]
        case _:
            return told


def _study(facts: Facts, study_id: str, seen: Condition | None) -> Study | None:
    with facts.read() as db:
        row = db.execute(select(reader_studies).where(reader_studies.c.study_id == study_id)).mappings().first()
    return None if row is None or study_id in _hidden(facts, seen) else Study(**row)


def _films(content: Content) -> int:
    films = content.get("films")
    return 1 + len(films) if isinstance(films, list) else 0


def _readers(facts: Facts, where: ColumnElement[bool]) -> list[Reader]:
    column = readers.c
    query = select(column.reader_id, column.study_id, column.name, column.created_at).where(where)
    with facts.read() as db:
        return [Reader(*row) for row in db.execute(query.order_by(column.created_at, column.reader_id))]


def _hidden(facts: Facts, seen: Condition | None) -> set[str]:
    """Studies that show a film which does not fulfil `seen`: they are seen whole, or not at all."""
    if seen is None:
        return set()
    query = select(reader_films.c.study_id).join(images, images.c.image_id == reader_films.c.image_id)
    with facts.read() as db:
        return set(db.scalars(query.where(~seen).distinct()))


def _missing() -> HilumError:
    return HilumError(ErrorCode.NOT_FOUND, "no such reader study; `hilum study list` shows those there are")
