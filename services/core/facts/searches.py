"""Questions kept by name, and the marks of their owners."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update

from services.core.errors import ErrorCode, HilumError
from services.core.facts.db import Facts, now
from services.core.facts.images import insert
from services.core.facts.schema import marks, searches

_MOST = 1_000
MOST_GRADE = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """A question as it is kept. request: the contract's SearchRequest as JSON.  marked: how many marks it has."""

    search_id: str
    title: str
    request: dict[str, object]
    created_at: str
    updated_at: str
    marked: int = 0


def save(facts: Facts, owner: str, title: str, request: Mapping[str, object], search_id: str = "") -> Kept:
    """Keep a question, or change one of `owner`'s. Raises NOT_FOUND."""
    stamp = now()
    with facts.write() as db:
        if search_id:
            mine = (searches.c.search_id == search_id) & (searches.c.owner == owner)
            values = {"title": title, "request": dict(request), "updated_at": stamp}
            if not db.execute(update(searches).where(mine).values(**values)).rowcount:
                raise _missing()
        else:
            search_id = str(uuid.uuid4())
            row = {"search_id": search_id, "owner": owner, "title": title, "request": dict(request)}
            db.execute(searches.insert(), [{**row, "created_at": stamp, "updated_at": stamp}])
    return get(facts, owner, search_id)


def get(facts: Facts, owner: str, search_id: str) -> Kept:
    """One of `owner`'s questions. Raises NOT_FOUND."""
    found = _kept(facts, owner, search_id)
    if not found:
        raise _missing()
    return found[0]


def listed(facts: Facts, owner: str) -> list[Kept]:
    """`owner`'s questions, the one used last first."""
    return _kept(facts, owner)


def remove(facts: Facts, owner: str, search_id: str) -> Kept:
    """Forget a question with its marks. Raises NOT_FOUND."""
    gone = get(facts, owner, search_id)
    with facts.write() as db:
        db.execute(delete(marks).where(marks.c.search_id == search_id))
        db.execute(delete(searches).where(searches.c.search_id == search_id))
    return gone


def mark(facts: Facts, owner: str, search_id: str, grades: Mapping[str, int], unmark: Collection[str] = ()) -> None:
    """Say what films are worth to a question: 0 not relevant, up to 3; the last word counts. Raises NOT_FOUND."""
    get(facts, owner, search_id)
    stamp = now()
    rows = [
        {"search_id": search_id, "image_id": image_id, "owner": owner, "grade": grade, "created_at": stamp}
        for image_id, grade in grades.items()
    ]
    said = insert(facts, marks)
    said = said.on_conflict_do_update(
        index_elements=["search_id", "image_id", "owner"],
        set_={"grade": said.excluded.grade, "created_at": said.excluded.created_at},
    )
    mine = (marks.c.search_id == search_id) & (marks.c.owner == owner)
    with facts.write() as db:
        if rows:
            db.execute(said, rows)
        if unmark:
            db.execute(delete(marks).where(mine, marks.c.image_id.in_(sorted(unmark))))


def marked(facts: Facts, owner: str, search_id: str) -> dict[str, int]:
    """image_id → grade, the newest first."""
    get(facts, owner, search_id)
    mine = (marks.c.search_id == search_id) & (marks.c.owner == owner)
    query = select(marks.c.image_id, marks.c.grade).where(mine)
    with facts.read() as db:
        return dict(db.execute(query.order_by(marks.c.created_at.desc(), marks.c.image_id)).tuples().all())


def judged(facts: Facts, owner: str, by: str = "image_id") -> dict[tuple[str, str], int]:
    """(film asked with, film marked) → grade, over all of `owner`'s questions that ask with a stored film and nothing
    else; where several of them mark a film, the last word counts.

    by: ``text`` for questions in words, which then stand in the film's place.
    """
    query = select(searches.c.request, marks.c.image_id, marks.c.grade)
    query = query.join(marks, marks.c.search_id == searches.c.search_id)
    mine = query.where(searches.c.owner == owner, marks.c.owner == owner)
    found: dict[tuple[str, str], int] = {}
    with facts.read() as db:
        for request, image_id, grade in db.execute(mine.order_by(marks.c.created_at, marks.c.search_id)):
            asked = request.get("query", {}).get(by)
            if asked:
                found[asked, image_id] = grade
    return found


def _kept(facts: Facts, owner: str, search_id: str = "") -> list[Kept]:
    count = select(func.count()).select_from(marks).where(marks.c.search_id == searches.c.search_id)
    column = searches.c
    query = select(
        column.search_id, column.title, column.request, column.created_at, column.updated_at,
        count.correlate(searches).scalar_subquery(),
    ).where(column.owner == owner)  # fmt: skip
    if search_id:
        query = query.where(column.search_id == search_id)
    with facts.read() as db:
        return [Kept(*row) for row in db.execute(query.order_by(column.updated_at.desc()).limit(_MOST))]


def _missing() -> HilumError:
    return HilumError(ErrorCode.NOT_FOUND, "no such saved search; `hilum searches list` shows those there are")
