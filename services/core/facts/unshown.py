"""Films that are forgotten, taken out of teaching files: out of every version, every word and every try."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, delete, select, update

from services.core.errors import HilumError
from services.core.facts.db import Facts
from services.core.facts.schema import quiz_tries, teaching_films
from services.core.facts.schema import teaching_files as files
from services.core.facts.schema import teaching_versions as versions
from services.core.facts.teaching import File, chunks, lock, readable, words

_REMOVED = "[…]"  # no longer than any word that is sought: what was within its bounds stays so


def unshow(facts: Facts, ids: Collection[str], digests: Collection[str], sought: re.Pattern[str]) -> int:
    """Take films, and pictures of these digests, out of every version, and every word that is `sought` out of all that
    is said in files and tries; how many versions, files and tries were changed. File by file, so that nobody waits
    long, and an edit that comes meanwhile is not written over."""
    changed, gone = 0, (set(ids), set(digests), sought)
    for file_id in _every(facts):
        with facts.write() as db:
            try:
                lock(db, file_id)
            except HilumError:  # deleted meanwhile
                continue
            before = changed
            for row in _told(db, file_id):
                fresh = {name: _without(row.said[name], *gone) for name in row.said}
                if fresh != row.said:
                    db.execute(update(row.table).where(row.where).values(**fresh))
                    changed += 1
            if changed > before:
                _reword(db, lock(db, file_id))
            mine = teaching_films.c.file_id == file_id
            for part in chunks(ids):
                db.execute(delete(teaching_films).where(mine, teaching_films.c.image_id.in_(part)))
    return changed


def showing(facts: Facts, ids: Collection[str], digests: Collection[str], sought: re.Pattern[str]) -> int:
    """How many versions, files and tries still show or say one of them."""
    found, gone = 0, (set(ids), set(digests), sought)
    for file_id in _every(facts):
        with facts.read() as db:
            told = _told(db, file_id)
            found += sum(any(_without(each, *gone) != each for each in row.said.values()) for row in told)
    return found


def _every(facts: Facts) -> list[str]:
    with facts.read() as db:
        return list(db.scalars(select(files.c.file_id).order_by(files.c.file_id)))


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
    table: Table
    where: ColumnElement[bool]


def _told(db: Connection, file_id: str) -> Iterator[_Row]:
    """Everything that people wrote in a file and about it."""
    for table, own, said in (
        (files, files.c.file_id, ("title", "words", "events", "access")),
        (versions, versions.c.version, ("document", "note")),
        (quiz_tries, quiz_tries.c.try_id, ("answer",)),
    ):
        mine = table.c.file_id == file_id
        for row in db.execute(select(table).where(mine)).mappings().all():
            yield _Row({name: row[name] for name in said}, table, mine & (own == row[own]))


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
