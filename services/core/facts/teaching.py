"""Teaching files: their present state, every version of their documents, and which films and pictures those show.

Whoever changes a file does so within one `facts.write()`, and locks the file first: then what is read of it holds
until the change is committed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Insert, Table, and_, delete, false, func, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from services.core.errors import ErrorCode, HilumError
from services.core.facts.db import Facts, now
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
_REMOVED = "[removed]"
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
    return db.execute(_insert(db, files).values(**row).returning(files.c.file_id)).first() is not None


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
                db.execute(_insert(db, table), rows)
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
    found, asked = set[str](), sorted(set(films))
    for start in range(0, len(asked), _CHUNK):
        query = select(images.c.image_id).where(images.c.image_id.in_(asked[start : start + _CHUNK]))
        found.update(db.scalars(query if seen is None else query.where(seen)))
    return found


def pictures(db: Connection, file_id: str) -> set[str]:
    """Digests of the imported pictures of all its versions."""
    return set(db.scalars(select(teaching_pictures.c.digest).where(teaching_pictures.c.file_id == file_id)))


def remove(db: Connection, file_id: str) -> tuple[int, int, set[str]]:
    """Delete a file with all that hangs on it: how many versions and tries it had, and the pictures that nothing shows
    any more."""
    theirs = pictures(db, file_id)
    gone = db.execute(delete(versions).where(versions.c.file_id == file_id)).rowcount
    tries = db.execute(delete(quiz_tries).where(quiz_tries.c.file_id == file_id)).rowcount
    for table in (teaching_films, teaching_pictures, files):
        db.execute(delete(table).where(table.c.file_id == file_id))
    return gone, tries, unused(db, theirs)


def _insert(db: Connection, table: Table) -> Insert:
    """INSERT that passes over rows which are there."""
    kind = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    return kind(table).on_conflict_do_nothing()


def unused(db: Connection, digests: Collection[str]) -> set[str]:
    """Those of the pictures that neither a teaching file nor a film of the archive shows."""
    found, asked = set(digests), sorted(digests)
    for start in range(0, len(asked), _CHUNK):
        part = asked[start : start + _CHUNK]
        found -= set(db.scalars(select(teaching_pictures.c.digest).where(teaching_pictures.c.digest.in_(part))))
        found -= set(db.scalars(select(images.c.thumbnail).where(images.c.thumbnail.in_(part))))
    return found


def missing() -> HilumError:
    return HilumError(ErrorCode.NOT_FOUND, "no such teaching file; `hilum teach list` shows those there are")


# -- what is forgotten ------------------------------------------------------------------------------------------------


def unshow(facts: Facts, ids: Collection[str], digests: Collection[str], sought: re.Pattern[str]) -> int:
    """Take films, and pictures of these digests, out of every version, and every word that is `sought` out of all that
    is said in files and tries; how many versions, files and tries were changed."""
    changed = 0
    with facts.write() as db:
        for row in _told(db):
            fresh = {name: _without(row.said[name], set(ids), set(digests), sought) for name in row.said}
            if fresh != row.said:
                row.put(db, fresh)
                changed += 1
        for file in [File(**row) for row in db.execute(select(*_FILE)).mappings()]:
            _reword(db, file)
        asked = sorted(ids)
        for start in range(0, len(asked), _CHUNK):
            part = asked[start : start + _CHUNK]
            db.execute(delete(teaching_films).where(teaching_films.c.image_id.in_(part)))
    return changed


def showing(facts: Facts, ids: Collection[str], digests: Collection[str], sought: re.Pattern[str]) -> int:
    """How many versions, files and tries still show or say one of them."""
    with facts.read() as db:
        return sum(
            any(_without(each, set(ids), set(digests), sought) != each for each in row.said.values())
            for row in _told(db)
        )


def _reword(db: Connection, file: File) -> None:
    """What a film's caption said is not found any more either."""
    theirs = (versions.c.file_id == file.file_id) & versions.c.version.in_([file.version, file.published])
    said = [readable(document) for document in db.scalars(select(versions.c.document).where(theirs))]
    if said:
        mine = files.c.file_id == file.file_id
        db.execute(update(files).where(mine, files.c.words != (new := words(said))).values(words=new))


@dataclass(frozen=True, slots=True)
class _Row:
    said: dict[str, object]
    table: object
    where: object

    def put(self, db: Connection, values: Mapping[str, object]) -> None:
        db.execute(update(self.table).where(self.where).values(**values))  # type: ignore[arg-type]


def _told(db: Connection) -> list[_Row]:
    """Everything that people wrote."""
    found = []
    for row in db.execute(select(files)).mappings():
        said = {name: row[name] for name in ("title", "words", "events", "access")}
        found.append(_Row(said, files, files.c.file_id == row["file_id"]))
    for row in db.execute(select(versions)).mappings():
        where = (versions.c.file_id == row["file_id"]) & (versions.c.version == row["version"])
        found.append(_Row({"document": row["document"], "note": row["note"]}, versions, where))
    for row in db.execute(select(quiz_tries)).mappings():
        found.append(_Row({"answer": row["answer"]}, quiz_tries, quiz_tries.c.try_id == row["try_id"]))
    return found


def _without(told: object, ids: set[str], digests: set[str], sought: re.Pattern[str]) -> object:
    match told:
        case str():
            return sought.sub(_REMOVED, told)
        case Mapping():
            return {name: _without(each, ids, digests, sought) for name, each in told.items()}
        case list():
            kept = [one for one in told if not _is_of(one, ids, digests)]
            return [_without(each, ids, digests, sought) for each in kept]
        case _:
            return told


def _is_of(told: object, ids: set[str], digests: set[str]) -> bool:
    return isinstance(told, Mapping) and (told.get("image_id") in ids or told.get("blob") in digests)
