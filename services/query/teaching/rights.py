"""Who may do what with a teaching file, and what of it they may see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from services.core.access import ALL, Access
from services.core.errors import ErrorCode, HilumError
from services.core.facts import teaching
from services.core.facts.teaching import PUBLISHED, File, Version
from services.core.filters import to_sql
from services.query.teaching import document as documents
from services.query.teaching.document import Document

READ, UPDATE, EXPORT, OWN = "read", "update", "export", "own"
RIGHTS = (READ, UPDATE, EXPORT)
EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Shown:
    """A version of a file as somebody may see it. hidden: films of it that they may not.  may: their rights."""

    file: File
    number: int
    document: Document
    hidden: int
    may: frozenset[str]

    @property
    def state(self) -> str:
        """Readers see what was published, whatever its editors are doing."""
        return self.file.state if UPDATE in self.may else PUBLISHED


def rights_of(file: File, user: str) -> frozenset[str]:
    """What somebody may do; who may update or export may read, too."""
    if file.owner == user:
        return frozenset((*RIGHTS, OWN))
    theirs = {right for right, names in file.access.items() if user in names or EVERYBODY in names}
    return frozenset(theirs | {READ} if theirs else theirs)


def latest(file: File, may: Collection[str]) -> int:
    """The version that stands for the file: the latest for those who edit it, the published one for readers, 0 for
    those who may not know of it."""
    return file.version if UPDATE in may else file.published if READ in may else 0


def allowed(file: File, user: str, right: str) -> frozenset[str]:
    """Raises NOT_FOUND for a file that `user` may not know of, PERMISSION_DENIED for what they may not do with it."""
    may = rights_of(file, user)
    if not latest(file, may):
        raise teaching.missing()
    if right not in may:
        what = "that is for its owner alone" if right == OWN else f"its owner can let you {right} it"
        raise HilumError(ErrorCode.PERMISSION_DENIED, f"you may not do this with the file; {what}")
    return may


def shown(db: Connection, file: File, version: Version, may: frozenset[str], access: Access) -> Shown:
    """A version as somebody may see it: without the films outside their access, which are counted."""
    document = documents.kept(version.document)
    seen = visible(db, document.films, access)
    images = tuple(one for one in document.images if not one.image_id or one.image_id in seen)
    hidden = len(document.images) - len(images)
    return Shown(file, version.version, replace(document, images=images), hidden, may)


def visible(db: Connection, films: Collection[str], access: Access) -> set[str]:
    """Those of `films` that are stored and may be seen."""
    return teaching.stored(db, films, None if access == ALL else to_sql(access.condition()))


def check(db: Connection, films: Collection[str], access: Access) -> None:
    """Raises NOT_FOUND when one of `films` is not stored, or may not be seen."""
    if len(visible(db, films, access)) < len(set(films)):
        raise HilumError(
            ErrorCode.NOT_FOUND, "a film that the file shows is not in the archive; `images:query` lists its films"
        )


def with_hidden(db: Connection, mine: Document, base: Document, access: Access) -> Document:
    """`mine` with those pictures of `base` that its writer could not see, each behind what it stood behind."""
    seen = visible(db, base.films, access)
    hidden = {one.key for one in base.images if one.image_id and one.image_id not in seen}
    if not hidden:
        return mine
    order = [one for one in mine.images if one.key not in hidden]
    sections = {one.key for one in mine.sections}
    for place, one in enumerate(base.images):
        if one.key in hidden:
            before = {each.key for each in base.images[:place]}
            behind = max((at + 1 for at, each in enumerate(order) if each.key in before), default=0)
            order.insert(behind, one if one.section in sections else replace(one, section=""))
    return replace(mine, images=tuple(order))
