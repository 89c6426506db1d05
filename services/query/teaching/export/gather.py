"""From a teaching file to the case that may leave: its pictures, what is said of them, and what has to stay."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from PIL import Image

from services.core.access import Access
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.facts import images as stored
from services.core.licences import HandingOn, handing_on, remark
from services.core.types import ImageRecord
from services.query.images import Images
from services.query.teaching.document import Document, Picture
from services.query.teaching.export.case import Asked, Case, Film, LeftOut
from services.query.teaching.export.words import clean, line
from services.query.teaching.files import Files
from services.query.teaching.rights import EXPORT, Shown

_WHY = {
    HandingOn.FORBIDDEN: "its licence ({}) forbids handing it on",
    HandingOn.UNREAD: "its licence ({}) is not known to allow handing it on",
    HandingOn.UNSTATED: "nobody stated its licence",
}
_NO_CHANGES = re.compile(r"no[\s-]?deriv", re.IGNORECASE)
_WRITTEN = "there is or may be writing in the picture, which can name people"


@dataclass(frozen=True)
class Gatherer:
    """Reads what exports need. secret: the installation's key."""

    facts: Facts
    files: Files
    images: Images
    secret: bytes

    def case(self, user: str, access: Access, file_id: str, number: int, asked: Asked) -> Case:
        """The case as `user` may export it; films whose licence forbids it are left out, and said to be.

        Raises NOT_FOUND, PERMISSION_DENIED, and FAILED_PRECONDITION when not one of its films may leave.
        """
        shown = self.files.get(user, access, file_id, number, right=EXPORT)
        document = shown.document
        records = stored.get(self.facts, document.films)
        films: list[Film] = []
        left_out: list[LeftOut] = []
        for place, picture in enumerate(document.images, 1):
            found = self._film(place, picture, document, records, access, asked)
            films += [found] if isinstance(found, Film) else []
            left_out += [found] if isinstance(found, LeftOut) else []
        if left_out and not films:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"not one film of this file may leave: {left_out[0]} Where you have a right that no licence shows, "
                "state it in words (`right`, --right)",
            )
        left_out += [LeftOut(0, f"{shown.hidden} more are outside what you may see")] if shown.hidden else []
        rights = shown.file.access
        return Case(
            file_id=shown.file.file_id, version=shown.number, document=document, films=tuple(films),
            left_out=tuple(left_out), published=_day(shown), owner=shown.file.owner,
            read=tuple(rights.get("read", ())) if shown.state == "published" else (),
            update=tuple(rights.get("update", ())), export=tuple(rights.get("export", ())), secret=self.secret,
            asked=asked,
        )  # fmt: skip

    def _film(
        self, place: int, picture: Picture, document: Document, records: Mapping[str, ImageRecord], access: Access,
        asked: Asked,
    ) -> Film | LeftOut:  # fmt: skip
        record = records.get(picture.image_id)
        if picture.image_id and record is None:
            return LeftOut(place, "it is no longer in the archive")
        licence = line(record.licence or "") if record else picture.licence or document.rights
        by_licence = handing_on(licence)
        if by_licence != HandingOn.ALLOWED and not asked.right:
            return LeftOut(place, _WHY[by_licence].format(licence))
        written = record is not None and record.burned_in in ("yes", "suspected")
        if written and not asked.written:
            return LeftOut(place, _WRITTEN)
        try:
            image = self.images.kept(picture.image_id, access) if record else self._imported(picture)
        except HilumError as error:
            if error.code not in (ErrorCode.FAILED_PRECONDITION, ErrorCode.NOT_FOUND):
                raise
            return LeftOut(place, "no picture of it is kept")
        return Film(
            number=place, key=picture.key, pixels=np.asarray(image.convert("L")), section=picture.section,
            part=next((one.heading for one in document.sections if one.key == picture.section), ""),
            seed=picture.image_id or picture.blob, person=_person(record) if record else "imported",
            caption=picture.caption, key_note=picture.key_note, why=picture.why,
            severity="" if picture.severity == "unknown" else picture.severity, marks=picture.annotations,
            licence=licence, attribution=clean(record.attribution or "") if record else picture.attribution,
            right=asked.right if by_licence != HandingOn.ALLOWED else "",
            changeable="no derivatives" not in remark(licence) and not _NO_CHANGES.search(licence),
            written=written, **_told(record),
        )  # fmt: skip

    def _imported(self, picture: Picture) -> Image.Image:
        return Image.open(io.BytesIO(self.files.blob(picture)))


def _told(record: ImageRecord | None) -> dict[str, object]:
    """What a film's record says that may leave: view, sex, age, modality."""
    if record is None:
        return {}
    known = {"view": record.view, "sex": record.sex, "modality": record.modality}
    return {"age": record.age} | {name: line(value or "") for name, value in known.items()}


def _person(record: ImageRecord) -> str:
    return f"{record.dataset}\0{record.patient_id}" if record.patient_id else record.image_id


def _day(shown: Shown) -> str:
    """When it was published last; of what never was, today."""
    moved = [str(event["at"])[:10] for event in shown.file.events if event.get("state") == "published"]
    return moved[-1] if moved else date.today().isoformat()
