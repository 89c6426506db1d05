"""The archive's films as facts state them: one, a page of those a filter selects, their pictures and relatives."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image
from sqlalchemy import func, select

from services.core import filters
from services.core.access import ALL, Access
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, images
from services.core.facts.schema import images as table
from services.core.ids import parse_image_id
from services.core.types import ImageRecord
from services.query.films import StoredImage, shown, with_models
from services.transport import paging

DEFAULT_PAGE = 50
_RELATIVES = 200
_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"RIFF", "image/webp"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A film to look at: the file and its content type."""

    data: bytes
    content_type: str


NO_PICTURE = Picture(
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512"><rect width="512" height="512" fill="#1b2326"/>'
    b'<text x="256" y="264" fill="#9fb0b5" font-family="sans-serif" font-size="32" text-anchor="middle">'
    b"no picture kept</text></svg>",
    "image/svg+xml",
)
"""What is shown of a film whose vectors came ready made: the archive has never seen its pixels."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the films that a filter selects, in the order of their ids. `total` counts all of them, exactly."""

    films: tuple[StoredImage, ...]
    next_token: str
    total: int


def picture_of(data: bytes) -> Picture:
    """A stored picture with its type. Raises INTERNAL for what is none."""
    for magic, kind in _KINDS:
        if data.startswith(magic):
            return Picture(data, kind)
    raise HilumError(ErrorCode.INTERNAL, "the stored picture is damaged; ingest the film again")


class Images:
    """Reads films. Safe to share between threads."""

    def __init__(self, facts: Facts, blobs: Blobs) -> None:
        self._facts, self._blobs = facts, blobs

    def get(self, image_id: str, access: Access = ALL) -> StoredImage:
        """One film. Raises INVALID_ARGUMENT when the id is none, NOT_FOUND when no film has it that may be seen."""
        canonical = parse_image_id(image_id)
        found = shown(self._facts, [canonical])
        if canonical not in found or not access.allows(found[canonical].record):
            raise _missing()
        return found[canonical]

    def picture(self, image_id: str, access: Access = ALL) -> Picture:
        """The stored picture of a film, or that none is kept. Raises NOT_FOUND."""
        canonical = parse_image_id(image_id)
        if access != ALL:
            self.get(canonical, access)
        digest = images.thumbnails(self._facts, [canonical]).get(canonical)
        if digest is None:
            raise _missing()
        if not digest:
            return NO_PICTURE
        return picture_of(self._blobs.get(digest))

    def kept(self, image_id: str, access: Access = ALL) -> Image.Image:
        """The stored picture of a film, grey. Raises NOT_FOUND; FAILED_PRECONDITION where none is kept."""
        picture = self.picture(image_id, access)
        if picture is NO_PICTURE:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "no picture of this film is kept: its vectors came ready made"
            )
        return Image.open(BytesIO(picture.data)).convert("L")

    def page(self, filter_text: str = "", page_size: int = 0, page_token: str = "", access: Access = ALL) -> Page:
        """A page of the films that a filter selects. Films that come or go elsewhere shift no page."""
        expr = filters.all_of(filters.parse(filter_text), access.condition())
        filters.check(expr, self._facts)
        where = filters.to_sql(expr)
        size = paging.size(page_size, DEFAULT_PAGE)
        after = _position(page_token)
        # One more than asked: whether there is a next page is then a fact, not a guess.
        records = images.page(self._facts, select(table.c.image_id).where(where).correlate(None), after, size + 1)
        with self._facts.read() as db:
            total = db.scalar(select(func.count()).select_from(table).where(where)) or 0
        more = len(records) > size
        films = with_models(self._facts, records[:size])
        token = paging.token(films[-1].record.image_id) if more else ""
        return Page(tuple(films), token, total)

    def of_same_patient(self, record: ImageRecord) -> list[ImageRecord]:
        """The films of the same patient in time order, `record` among them; itself alone when nobody knows whose it is.

        Films without a date stand last.
        """
        if not record.patient_id:
            return [record]
        query = select(table.c.image_id).where(
            table.c.dataset == record.dataset, table.c.patient_id == record.patient_id
        )
        ordered = query.order_by(table.c.study_date.is_(None), table.c.study_date, table.c.image_id).limit(_RELATIVES)
        with self._facts.read() as db:
            ids = list(db.scalars(ordered))
        found = images.get(self._facts, ids)
        return [found[image_id] for image_id in ids if image_id in found]

    def report(self, record: ImageRecord) -> dict[str, str]:
        """Section → text of the film's study; empty when none is stored."""
        return images.reports_of(self._facts, record.dataset, record.study_id) if record.study_id else {}


def png(picture: Image.Image) -> bytes:
    """What decoders of films take; kept pictures are in another format."""
    out = BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _position(token: str) -> str:
    """The id behind which the page starts; empty for the first. Raises INVALID_ARGUMENT for a token not of ours."""
    position = paging.position(token)
    if not position:
        return ""
    try:
        return parse_image_id(position)
    except HilumError:
        raise invalid("page_token is not one that this service gave; start again without it") from None


def _missing() -> HilumError:
    return HilumError(ErrorCode.NOT_FOUND, "no such film; `images:query` lists those there are")
