"""Teaching files: their present state, every version of their documents, and which films and pictures those show.

Whoever changes a file does so within one `facts.write()`, and locks the file first: then what is read of it holds
until the change is committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Insert, Table, and_, delete, false, func, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from services.core.errors import ErrorCode, HilumError
from services.core.facts.db import now
from services.core.facts.schema import (
    images,
    quiz_tries,
    teaching_films,
    teaching_pictures,
)
from services.core.facts.schema import teaching_files as files
from services.core.facts.schema import teaching_versions as versions
from services.core.filters.sql import Condition

DRAFT, REVIEW, PUBLISHED = "draft", "review", "published"
_CHUNK = 500
_PICTURES = 0x48494C554E  # any number of our own
_UNREAD = ("key", "image_id", "blob", "section", "kind")


@dataclass(frozen=True, slots=True)
class File:
    """A teaching file as it stands. version: the latest.  published: the one that readers see, 0 for none.
    access: right → names.  events: who moved it to which state, when."""

    file_id: str
    owner: str
    title: str
    state: str
    version: int
    published: int
    access: dict[str, list[str]]
    events: list[dict[str, object]]
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version. made_from: the version that was edited, 0 for the first.  refused: kept, but never the file."""

    version: int
    made_from: int
    refused: bool
    author: str
    note: str
    created_at: str
    document: dict[str, object]


_FILE = [files.c[name] for name in File.__dataclass_fields__]
_VERSION = [versions.c[name] for name in Version.__dataclass_fields__]


def words(said: Sequence[str]) -> str:
    """What a file is found by: what can be read in its latest and in its published version."""
    return "\n".join(sorted(set(said)))


def readable(told: object) -> str:
    """All that can be read in a document, in lower case; ids and keys are no text."""
    match told:
        case str():
            return told.casefold()
        case list():
            return "\n".join(filter(None, map(readable, told)))
        case Mapping():
            return "\n".join(filter(None, (readable(each) for name, each in told.items() if name not in _UNREAD)))
        case _:
            return ""


def create(db: Connection, file_id: str, owner: str, access: Mapping[str, Sequence[str]]) -> bool:
    """A file without a version yet; False when there is one of this id."""
    stamp = now()
    row = {
        "file_id": file_id, "owner": owner, "title": "", "state": DRAFT, "version": 0, "published": 0, "words": "",
        "access": dict(access), "events": [], "created_at": stamp, "updated_at": stamp,
    }  # fmt: skip
    return db.execute(adding(db, files).values(**row).returning(files.c.file_id)).first() is not None


def lock(db: Connection, file_id: str) -> File:
    """The file, which nobody else changes until the transaction ends. Raises NOT_FOUND."""
    row = db.execute(select(*_FILE).where(files.c.file_id == file_id).with_for_update()).mappings().first()
    if row is None:
        raise missing()
    return File(**row)


def get(db: Connection, file_id: str) -> File:
    """One file. Raises NOT_FOUND."""
    row = db.execute(select(*_FILE).where(files.c.file_id == file_id)).mappings().first()
    if row is None:
        raise missing()
    return File(**row)


def listed(
    db: Connection, words: Sequence[str] = (), state: str = "", after: tuple[str, str] | None = None, size: int = 100
) -> list[File]:
    """Files in which all of `words` (lower case) may stand, the one changed last first, behind `after` (updated_at,
    file_id). Of those that are published an edited version may be a draft: state says either."""
    said = (files.c.words.contains(word, autoescape=True) for word in words)
    query = select(*_FILE).where(true(), *said)
    if state:
        query = query.where(or_(files.c.state == state, files.c.published > 0 if state == PUBLISHED else false()))
    if after is not None:
        stamp, file_id = after
        earlier = or_(files.c.updated_at < stamp, and_(files.c.updated_at == stamp, files.c.file_id < file_id))
        query = query.where(earlier)
    query = query.order_by(files.c.updated_at.desc(), files.c.file_id.desc()).limit(size)
    return [File(**row) for row in db.execute(query).mappings()]


def version(db: Connection, file_id: str, number: int) -> Version:
    """One version with its document. Raises NOT_FOUND."""
    mine = (versions.c.file_id == file_id) & (versions.c.version == number)
    row = db.execute(select(*_VERSION).where(mine)).mappings().first()
    if row is None:
        raise HilumError(ErrorCode.NOT_FOUND, "the file has no such version; list its versions to see those there are")
    return Version(**row)


def history(db: Connection, file_id: str) -> list[Version]:
    """Every version with its document, the latest first."""
    mine = select(*_VERSION).where(versions.c.file_id == file_id).order_by(versions.c.version.desc())
    return [Version(**row) for row in db.execute(mine).mappings()]


def refused(db: Connection, file_id: str, made_from: int, author: str) -> list[Version]:
    """The refused edits of one version by one author."""
    mine = (versions.c.file_id == file_id) & (versions.c.made_from == made_from) & (versions.c.author == author)
    query = select(*_VERSION).where(mine, versions.c.refused).order_by(versions.c.version)
    return [Version(**row) for row in db.execute(query).mappings()]


def numbers(db: Connection, file_id: str) -> int:
    """The highest number that any version has, refused ones included."""
    return db.scalar(select(func.max(versions.c.version)).where(versions.c.file_id == file_id)) or 0


def keep(
    db: Connection, file_id: str, made_from: int, document: Mapping[str, object], author: str, note: str,
    films: Iterable[str], pictures: Iterable[str], refused: bool = False,
) -> int:  # fmt: skip
    """Keep a version; returns its number. The file itself is moved by `change`.

    Raises NOT_FOUND for a film that is not stored (any more).
    """
    number = numbers(db, file_id) + 1
    row = {"file_id": file_id, "version": number, "made_from": made_from, "refused": refused,
           "document": dict(document), "author": author, "note": note, "created_at": now()}  # fmt: skip
    db.execute(versions.insert(), [row])
    shown = [{"file_id": file_id, "image_id": image_id} for image_id in sorted(set(films))]
    kept = [{"file_id": file_id, "digest": digest} for digest in sorted(set(pictures))]
    try:
        for table, rows in ((teaching_films, shown), (teaching_pictures, kept)):
            if rows:
                db.execute(adding(db, table), rows)
    except IntegrityError:
        raise HilumError(
            ErrorCode.NOT_FOUND, "a film that the file shows is not in the archive; take it out and try again"
        ) from None
    return number


def change(db: Connection, file_id: str, **values: object) -> None:
    """Set fields of the file."""
    db.execute(update(files).where(files.c.file_id == file_id).values(**values, updated_at=now()))


def stored(db: Connection, films: Collection[str], seen: Condition | None) -> set[str]:
    """Those of `films` that are stored, and fulfil `seen`."""
    found = set[str]()
    for part in chunks(films):
        query = select(images.c.image_id).where(images.c.image_id.in_(part))
        found.update(db.scalars(query if seen is None else query.where(seen)))
    return found


def pictures(db: Connection, file_id: str) -> set[str]:
    """Digests of the imported pictures of all its versions."""
    return set(db.scalars(select(teaching_pictures.c.digest).where(teaching_pictures.c.file_id == file_id)))


def alone_with_pictures(db: Connection) -> None:
    """Nobody else stores or deletes imported pictures until the transaction ends. On SQLite nobody writes anyway."""
    if db.dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(_PICTURES)))


def remove(db: Connection, file_id: str) -> tuple[int, int, set[str]]:
    """Delete a file with all that hangs on it: how many versions and tries it had, and its pictures."""
    theirs = pictures(db, file_id)
    gone = db.execute(delete(versions).where(versions.c.file_id == file_id)).rowcount
    tries = db.execute(delete(quiz_tries).where(quiz_tries.c.file_id == file_id)).rowcount
    for table in (teaching_films, teaching_pictures, files):
        db.execute(delete(table).where(table.c.file_id == file_id))
    return gone, tries, theirs


def adding(db: Connection, table: Table) -> Insert:
    """INSERT that passes over rows which are there."""
    kind = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    return kind(table).on_conflict_do_nothing()


def unused(db: Connection, digests: Collection[str]) -> set[str]:
    """Those of the pictures that neither a teaching file nor a film of the archive shows."""
    found = set(digests)
    for part in chunks(digests):
        found -= set(db.scalars(select(teaching_pictures.c.digest).where(teaching_pictures.c.digest.in_(part))))
        found -= set(db.scalars(select(images.c.thumbnail).where(images.c.thumbnail.in_(part))))
    return found


def missing() -> HilumError:
    return HilumError(ErrorCode.NOT_FOUND, "no such teaching file; `hilum teach list` shows those there are")


def chunks(values: Collection[str]) -> Iterator[list[str]]:
    """Sorted, in parts that a statement takes."""
    ordered = sorted(set(values))
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))
