"""What readers answered to teaching files shown as unknowns."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, or_, select, true, update

from services.core.errors import ErrorCode, HilumError
from services.core.facts.schema import quiz_tries as tries
from services.core.facts.teaching import adding

_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Try:
    """One answer. answer: {"text", "choice", "judged"}; judged is choice, match, self or empty.
    correct: None while nobody has judged.  seconds: None where nobody measured."""

    try_id: str
    file_id: str
    version: int
    reader: str
    answer: dict[str, str]
    correct: bool | None
    seconds: float | None
    created_at: str


_TRY = [tries.c[name] for name in Try.__dataclass_fields__]


def record(db: Connection, one: Try) -> Try:
    """Keep a try; one that is kept already under this id comes back as it is."""
    db.execute(adding(db, tries), [asdict(one)])
    return get(db, one.try_id)


def get(db: Connection, try_id: str) -> Try:
    """One try. Raises NOT_FOUND."""
    found = _get(db, try_id)
    if found is None:
        raise HilumError(ErrorCode.NOT_FOUND, "no such try; `hilum teach quiz-results` shows those there are")
    return found


def judge(db: Connection, try_id: str, answer: dict[str, str], correct: bool) -> None:
    """Say whether a try was right."""
    db.execute(update(tries).where(tries.c.try_id == try_id).values(answer=answer, correct=correct))


def listed(db: Connection, file_id: str = "", reader: str = "") -> list[Try]:
    """Tries, the latest first; of one file, of one reader."""
    query = select(*_TRY).where(
        tries.c.file_id == file_id if file_id else true(), tries.c.reader == reader if reader else true()
    )
    query = query.order_by(tries.c.created_at.desc(), tries.c.try_id).limit(_MOST)
    return [Try(**row) for row in db.execute(query).mappings()]


def drop(db: Connection, reader: str) -> int:
    """Forget what a reader answered, under every name below theirs; how many tries there were."""
    theirs = or_(tries.c.reader == reader, tries.c.reader.startswith(f"{reader}/", autoescape=True))
    return db.execute(delete(tries).where(theirs)).rowcount


def _get(db: Connection, try_id: str) -> Try | None:
    row = db.execute(select(*_TRY).where(tries.c.try_id == try_id)).mappings().first()
    return None if row is None else Try(**row)
