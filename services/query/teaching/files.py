"""Teaching files: made, read, edited by several at once, reviewed, published, given back, deleted.

    files = Files(facts, blobs)
    shown = files.create("local", ALL, document)
    shown = files.update("local", ALL, shown.file.file_id, shown.number, edited)

`user` is who asks, `access` whose films they may see: of a film outside it nobody learns more than that there is one.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services.core.access import Access
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, now, teaching
from services.core.facts.teaching import DRAFT, PUBLISHED, REVIEW, File, Version
from services.core.ids import HILUM_NS
from services.query.teaching import document as documents
from services.query.teaching import rights
from services.query.teaching.document import NOTE, Document, Picture, clean
from services.query.teaching.merge import merge
from services.query.teaching.rights import OWN, READ, RIGHTS, UPDATE, Shown
from services.transport import paging

_PAGE, _AHEAD = 50, 200
_MOST_NAMES, _MOST_EVENTS, _MOST_VERSIONS, _MOST_WORDS = 200, 1_000, 10_000, 20


@dataclass(frozen=True, slots=True)
class Page:
    """Some files, the one changed last first."""

    files: tuple[Shown, ...]
    next_token: str


class Files:
    """Keeps teaching files. Safe to share between threads and processes."""

    def __init__(self, facts: Facts, blobs: Blobs) -> None:
        self._facts, self._blobs = facts, blobs

    def get(self, user: str, access: Access, file_id: str, number: int = 0, right: str = READ) -> Shown:
        """A file as `user` may see it: the latest version for those who may edit it, the published one for others.

        right: what it is wanted for. Raises NOT_FOUND, PERMISSION_DENIED.
        """
        with self._facts.read() as db:
            file = teaching.get(db, _id(file_id))
            may = rights.allowed(file, user, right)
            wanted = number or rights.latest(file, may)
            if UPDATE not in may and wanted != file.published:
                raise teaching.missing()
            return rights.shown(db, file, teaching.version(db, file.file_id, wanted), may, access)

    def listed(
        self, user: str, access: Access, words: str = "", state: str = "", page_size: int = 0, page_token: str = ""
    ) -> Page:
        """Files that `user` may see, in which all of `words` stand. Raises INVALID_ARGUMENT."""
        if state and state not in (DRAFT, REVIEW, PUBLISHED):
            raise invalid(f"state is {DRAFT}, {REVIEW} or {PUBLISHED}")
        asked = clean(words).casefold().split()
        if len(asked) > _MOST_WORDS:
            raise invalid(f"at most {_MOST_WORDS} words are looked for")
        size, after, more = paging.size(page_size, _PAGE), _position(page_token), True
        found: list[Shown] = []
        with self._facts.read() as db:
            while more and len(found) <= size:
                rows = teaching.listed(db, asked, state, after, _AHEAD)
                more = len(rows) == _AHEAD
                for file in rows:
                    after = file.updated_at, file.file_id
                    one = self._found(db, user, access, file, asked)
                    if one and state in ("", one.state):
                        found.append(one)
                    if len(found) > size:
                        break
        last = found[size - 1].file if len(found) > size else None
        return Page(tuple(found[:size]), paging.token(f"{last.updated_at} {last.file_id}") if last else "")

    def versions(self, user: str, file_id: str) -> list[Version]:
        """Every version, the latest first, refused edits among them; for those who may edit the file."""
        with self._facts.read() as db:
            file = teaching.get(db, _id(file_id))
            rights.allowed(file, user, UPDATE)
            return teaching.history(db, file.file_id)

    def picture(self, user: str, access: Access, file_id: str, key: str, number: int = 0) -> Picture:
        """One of a file's pictures. Raises NOT_FOUND, also for a film that may not be seen."""
        for one in self.get(user, access, file_id, number).document.images:
            if one.key == key:
                return one
        raise HilumError(ErrorCode.NOT_FOUND, "the file has no such picture; its images say which it has")

    def blob(self, picture: Picture) -> bytes:
        """The bytes of an imported picture: JPEG, as imports keep them (WebP before). Raises NOT_FOUND."""
        return self._blobs.get(picture.blob)

    def create(
        self, user: str, access: Access, document: Document, note: str = "", request_id: str = "",
        pictures: Collection[bytes] = (),
    ) -> Shown:  # fmt: skip
        """A draft that nobody but `user` sees. The same `request_id` of the same user comes once.

        pictures: those that the document names by their sha256. Raises NOT_FOUND for a film that `user` may not see.
        """
        file_id = str(uuid.uuid5(HILUM_NS, f"teaching\0{user}\0{request_id}") if request_id else uuid.uuid4())
        with self._facts.write() as db:
            if teaching.create(db, file_id, user, {right: [] for right in RIGHTS}):
                rights.check(db, document.films, access)
                if pictures:
                    teaching.alone_with_pictures(db)
                put = {self._blobs.put(data) for data in pictures}
                _check_blobs(document, put)
                number = _keep(db, file_id, 0, document, user, note or "created")
                _head(db, file_id, number, document, 0)
        return self.get(user, access, file_id)

    def update(
        self, user: str, access: Access, file_id: str, made_from: int, document: Document, note: str = ""
    ) -> Shown:
        """Put `document`, an edit of version `made_from`, into the file: merged with what others edited meanwhile.

        Raises FAILED_PRECONDITION where both changed the same; the edit is then kept as a version of its own, which the
        message names. Films that `user` may not see stay as they are.
        """
        lost: HilumError | None = None
        with self._facts.write() as db:
            file = teaching.lock(db, _id(file_id))
            rights.allowed(file, user, UPDATE)
            if not 0 < made_from <= teaching.numbers(db, file.file_id):
                raise invalid("made_from is the number of the version that was edited")
            base, theirs = (_document(db, file, number) for number in (made_from, file.version))
            mine = rights.with_hidden(db, document, base, access)
            rights.check(db, set(mine.films) - {*base.films, *theirs.films}, access)
            _check_blobs(mine, teaching.pictures(db, file.file_id))
            merged = merge(base, mine, theirs)
            if merged.conflicts:
                lost = _conflict(merged.conflicts, _refuse(db, file, made_from, mine, user, note))
            elif merged.document != theirs:
                _edit(db, file, made_from, merged.document, user, note)
        if lost:
            raise lost
        return self.get(user, access, file_id)

    def restore(self, user: str, access: Access, file_id: str, number: int, made_from: int) -> Shown:
        """Let an earlier version, or a refused one, be the file again, as a new version.

        Raises FAILED_PRECONDITION when there is a later version than `made_from`, which `user` had looked at.
        """
        with self._facts.write() as db:
            file = teaching.lock(db, _id(file_id))
            rights.allowed(file, user, UPDATE)
            _same(file, made_from)
            document = _document(db, file, number)
            if document != _document(db, file, file.version):
                _edit(db, file, number, document, user, f"version {number} restored")
        return self.get(user, access, file_id)

    def move(self, user: str, access: Access, file_id: str, state: str, number: int = 0, note: str = "") -> Shown:
        """To `review` from a draft; to `published` from review; back to `draft` from anywhere, out of readers' sight.

        number: the version that was looked at, 0 for whichever is the latest. Raises FAILED_PRECONDITION.
        """
        with self._facts.write() as db:
            file = teaching.lock(db, _id(file_id))
            rights.allowed(file, user, UPDATE)
            if number:
                _same(file, number)
            if (file.state, state) == (DRAFT, PUBLISHED):
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION, "a draft is published after review; send it there first"
                )
            if (file.state, state) == (PUBLISHED, REVIEW):
                raise HilumError(ErrorCode.FAILED_PRECONDITION, "it is published; edit or withdraw it first")
            published = {PUBLISHED: file.version, DRAFT: 0}.get(state, file.published)
            if (state, published) != (file.state, file.published):
                events = _event(file, state, user, note, file.version)
                teaching.change(db, file.file_id, state=state, published=published, events=events)
                _head(db, file.file_id, file.version, _document(db, file, file.version), published)
        return self.get(user, access, file_id)

    def grant(self, user: str, access: Access, file_id: str, names: Mapping[str, Sequence[str]]) -> Shown:
        """Say who may read, update and export; for the owner alone. Raises INVALID_ARGUMENT, PERMISSION_DENIED."""
        kept = {right: list(dict.fromkeys(map(clean, names.get(right, ())))) for right in RIGHTS}
        for right, theirs in kept.items():
            if len(theirs) > _MOST_NAMES or not all(0 < len(name) <= 64 for name in theirs):
                raise invalid(f"{right}: at most {_MOST_NAMES} names of at most 64 characters, or '*' for everybody")
        with self._facts.write() as db:
            file = teaching.lock(db, _id(file_id))
            rights.allowed(file, user, OWN)
            teaching.change(db, file.file_id, access=kept)
        return self.get(user, access, file_id)

    def delete(self, user: str, file_id: str) -> tuple[int, int]:
        """Delete a file with its versions, tries and imported pictures: how many versions and tries there were.

        For the owner alone. Raises NOT_FOUND, PERMISSION_DENIED.
        """
        with self._facts.write() as db:
            file = teaching.lock(db, _id(file_id))
            rights.allowed(file, user, OWN)
            gone, tries, pictures = teaching.remove(db, file.file_id)
        with self._facts.write() as db:  # when the file is gone for good
            teaching.alone_with_pictures(db)
            for digest in teaching.unused(db, pictures):
                self._blobs.delete(digest)
        return gone, tries

    def _found(self, db: Connection, user: str, access: Access, file: File, words: list[str]) -> Shown | None:
        """A file as `user` may see it, if at all and if the words stand in what they may see."""
        may = rights.rights_of(file, user)
        if not (number := rights.latest(file, may)):
            return None
        one = rights.shown(db, file, teaching.version(db, file.file_id, number), may, access)
        said = documents.words(one.document) if words else ""
        return one if all(word in said for word in words) else None


def _document(db: Connection, file: File, number: int) -> Document:
    return documents.kept(teaching.version(db, file.file_id, number).document)


def _edit(db: Connection, file: File, made_from: int, document: Document, user: str, note: str) -> None:
    """A new version is a draft, whatever the file was; readers go on seeing what was published."""
    number = _keep(db, file.file_id, made_from, document, user, note)
    if file.state != DRAFT:
        events = _event(file, DRAFT, user, "edited", number)
        teaching.change(db, file.file_id, state=DRAFT, events=events)
    _head(db, file.file_id, number, document, file.published)


def _refuse(db: Connection, file: File, made_from: int, mine: Document, user: str, note: str) -> int:
    """Keep an edit that overlaps with another; the same one again is kept once."""
    told = documents.to_json(mine)
    for kept in teaching.refused(db, file.file_id, made_from, user):
        if kept.document == told:
            return kept.version
    return _keep(db, file.file_id, made_from, mine, user, note, refused=True)


def _keep(
    db: Connection, file_id: str, made_from: int, document: Document, user: str, note: str, refused: bool = False
) -> int:
    if teaching.numbers(db, file_id) >= _MOST_VERSIONS:
        raise HilumError(ErrorCode.RESOURCE_EXHAUSTED, f"a file has at most {_MOST_VERSIONS} versions; make another")
    told = documents.to_json(document)
    return teaching.keep(
        db, file_id, made_from, told, user, _note(note), document.films, document.blobs, refused=refused
    )


def _head(db: Connection, file_id: str, number: int, document: Document, published: int) -> None:
    """Let `number` be the file; it is found by its words, and by those of what is published."""
    said = [documents.words(document)]
    if published not in (0, number):
        said.append(documents.words(documents.kept(teaching.version(db, file_id, published).document)))
    teaching.change(db, file_id, version=number, title=document.title, words=teaching.words(said))


def _check_blobs(document: Document, own: set[str]) -> None:
    if document.blobs - own:
        raise invalid("a picture is named by a `blob` that did not come with this file; import it, or name a film")


def _id(file_id: str) -> str:
    try:
        return str(uuid.UUID(file_id))
    except ValueError:
        raise teaching.missing() from None


def _same(file: File, looked_at: int) -> None:
    if looked_at != file.version:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, f"it is at version {file.version} by now; look at that one first"
        )


def _event(file: File, state: str, user: str, note: str, number: int) -> list[dict[str, object]]:
    happened = {"state": state, "by": user, "at": now(), "note": _note(note), "version": number}
    return [*file.events, happened][-_MOST_EVENTS:]


def _note(note: str) -> str:
    if len(note) > NOTE:
        raise invalid(f"a note has at most {NOTE} characters")
    return clean(note)


def _conflict(fields: Sequence[str], number: int) -> HilumError:
    return HilumError(
        ErrorCode.FAILED_PRECONDITION,
        f"somebody else changed the same meanwhile: {', '.join(fields[:20])}. Nothing is lost: your edit is kept as "
        f"version {number}; look at the latest version, and edit that one or restore yours",
    )


def _position(token: str) -> tuple[str, str] | None:
    if not (place := paging.position(token)):
        return None
    stamp, _, file_id = place.partition(" ")
    return stamp, file_id
