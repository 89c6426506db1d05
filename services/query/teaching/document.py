"""A case as a document: typed, bounded, and the same bytes for the same content.

    document = parse({"title": "Large left effusion", "images": [{"image_id": …}]})
    canonical(document)  # the JSON that is kept

Texts are plain, or the small Markdown of `prose`; nothing in them is ever taken for HTML. The contract's messages have
the same names, so both are turned into each other by way of this JSON.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts.teaching import readable
from services.core.ids import parse_image_id

LINE, NOTE, TEXT = 300, 4_000, 40_000  # characters: a title or name; a caption; a discussion
MOST_BYTES = 1_000_000  # of the canonical JSON
MOST_IMAGES, MOST_MARKS, MOST_POINTS, MOST_LINES = 200, 100, 200, 200
_KEY = re.compile(r"[A-Za-z0-9_-]{1,32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)


def _line() -> Any:
    return field(default="", metadata={"most": LINE, "line": True})


def _text(most: int = TEXT) -> Any:
    return field(default="", metadata={"most": most})


def _lines() -> Any:
    return field(default=(), metadata={"most": NOTE, "count": MOST_LINES})


def _many(count: int) -> Any:
    return field(default=(), metadata={"count": count})


class Kind(StrEnum):
    """What an annotation is, and by which points: arrow (tail, head), circle (centre), rectangle (two opposite
    corners), polygon (3 or more), text (where it begins)."""

    ARROW = "arrow"
    CIRCLE = "circle"
    RECTANGLE = "rectangle"
    POLYGON = "polygon"
    TEXT = "text"


_POINTS = {Kind.ARROW: (2, 2), Kind.CIRCLE: (1, 1), Kind.RECTANGLE: (2, 2), Kind.POLYGON: (3, MOST_POINTS),
           Kind.TEXT: (1, 1)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """Fractions of the film as shown, from its top left corner."""

    x: float = 0.0
    y: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.x <= 1 and 0 <= self.y <= 1):
            raise invalid("annotations: points are fractions of the film, from 0 to 1")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A mark on a film. radius: of a circle, as a fraction of the film's width.  text: its label."""

    kind: str = field(default="", metadata={"most": 16})
    points: tuple[Point, ...] = _many(MOST_POINTS)
    radius: float = 0.0
    text: str = _line()

    def __post_init__(self) -> None:
        if self.kind not in set(Kind):
            raise invalid(f"annotations: kind is {', '.join(Kind)}")
        least, most = _POINTS[Kind(self.kind)]
        if not least <= len(self.points) <= most:
            raise invalid(f"annotations: {self.kind} has {least if least == most else f'{least} to {most}'} points")
        if (self.kind == Kind.CIRCLE) != (0 < self.radius <= 1):
            raise invalid("annotations: a circle, and nothing else, has a radius above 0, at most 1")
        if self.kind == Kind.TEXT and not self.text:
            raise invalid("annotations: say what the text is")


@dataclass(frozen=True, slots=True)
class Picture:
    """A film of the archive (`image_id`), or a picture that came with an imported file (`blob`, its sha256).

    key: names it within the file.  key_note: why it is a key image, empty where it is none.  section: key of the
    section that shows it, empty before all sections.  why: why it was chosen.  severity: as stated, or unknown.
    licence, attribution: of imported pictures; those of films stand in the archive.
    """

    key: str = field(default="", metadata={"most": 32})
    image_id: str = field(default="", metadata={"most": 36})
    blob: str = field(default="", metadata={"most": 64})
    caption: str = _text(NOTE)
    key_note: str = _text(NOTE)
    annotations: tuple[Annotation, ...] = _many(MOST_MARKS)
    section: str = field(default="", metadata={"most": 32})
    why: str = _text(NOTE)
    severity: str = _line()
    licence: str = _line()
    attribution: str = _line()

    def __post_init__(self) -> None:
        if bool(self.image_id) == bool(self.blob):
            raise invalid("images: name a film of the archive by its image_id")
        if self.image_id:
            object.__setattr__(self, "image_id", parse_image_id(self.image_id))
        if self.blob and not _DIGEST.fullmatch(self.blob):
            raise invalid("images: blob is what the service gave for an imported picture")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the case under its own heading; pictures name it by `key`."""

    key: str = field(default="", metadata={"most": 32})
    heading: str = _line()
    text: str = _text()


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote it, and how to be reached."""

    name: str = _line()
    affiliation: str = _line()
    contact: str = _line()


@dataclass(frozen=True, slots=True)
class Document:
    """A case. Every field may be empty but the title. alternative_title: for quizzes, says nothing of the answer.
    differential: one diagnosis per line.  rights: licence of the file itself.  origin: how it came about, in words."""

    title: str = _line()
    alternative_title: str = _line()
    history: str = _text()
    images: tuple[Picture, ...] = _many(MOST_IMAGES)
    findings: str = _text()
    diagnosis: str = _text(NOTE)
    differential: tuple[str, ...] = _lines()
    discussion: str = _text()
    anatomy: str = _line()
    pathology: str = _line()
    organ_system: str = _line()
    modality: str = _line()
    category: str = _line()
    level: str = _line()
    keywords: tuple[str, ...] = _lines()
    authors: tuple[Author, ...] = _many(50)
    references: tuple[str, ...] = _lines()
    rights: str = _text(NOTE)
    sections: tuple[Section, ...] = _many(100)
    origin: str = _text(NOTE)

    @property
    def films(self) -> list[str]:
        """Ids of the archive's films, each once, in order."""
        return list(dict.fromkeys(one.image_id for one in self.images if one.image_id))

    @property
    def blobs(self) -> set[str]:
        """Digests of imported pictures."""
        return {one.blob for one in self.images if one.blob}

    def shown_in(self, section: str) -> tuple[Picture, ...]:
        """The pictures of a section; of the empty one, those before all sections."""
        return tuple(one for one in self.images if one.section == section)


def parse(told: Mapping[str, Any]) -> Document:
    """A document from JSON, with keys for pictures and sections that have none.

    Raises INVALID_ARGUMENT naming the field, PAYLOAD_TOO_LARGE for what is too long.
    """
    document = _keyed(_read(Document, told, ""))
    if not document.title:
        raise invalid("title: give the file a title")
    _consistent(document)
    if len(canonical(document).encode()) > MOST_BYTES:
        raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a teaching file has at most {MOST_BYTES} bytes of text")
    return document


def kept(told: Mapping[str, Any]) -> Document:
    """A document as it was kept."""
    return _read(Document, told, "")


def to_json(value: Any) -> Any:
    """Plain JSON without what is empty; `parse` gives the same document again."""
    if dataclasses.is_dataclass(value):
        told = ((one.name, to_json(getattr(value, one.name))) for one in dataclasses.fields(value))
        return {name: each for name, each in told if each not in ("", [], 0.0)}
    return [to_json(each) for each in value] if isinstance(value, tuple) else value


def canonical(document: Document) -> str:
    """The same bytes for the same content."""
    return json.dumps(to_json(document), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def words(document: Document) -> str:
    """All that can be read in it, in lower case, for looking files up."""
    return readable(to_json(document))


def clean(text: str) -> str:
    """Text as it is kept: composed (NFC), lines ended by a newline alone, no characters that cannot be seen but steer
    terminals, databases or the direction of writing."""
    return unicodedata.normalize("NFC", _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))).strip()


T = TypeVar("T")


def _read(cls: type[T], told: Any, place: str) -> T:
    if not isinstance(told, Mapping):
        raise invalid(f"{place or 'the document'}: is an object with named fields")
    known = {one.name: one for one in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if strange := [name for name in told if name not in known]:
        raise invalid(f"{place or 'the document'}: has no field {clean(str(strange[0]))[:40]!r}")
    hints = get_type_hints(cls)
    return cls(**{
        name: _value(hints[name], told[name], known[name].metadata, f"{place}.{name}" if place else name)
        for name in told if told[name] is not None
    })  # fmt: skip


def _value(kind: Any, value: Any, bounds: Mapping[str, Any], place: str) -> Any:
    if kind is str:
        if not isinstance(value, str):
            raise invalid(f"{place}: is a text")
        if len(value) > bounds["most"]:
            raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"{place}: has at most {bounds['most']} characters")
        kept = clean(value)
        return " ".join(kept.split()) if bounds.get("line") else kept
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise invalid(f"{place}: is a number")
        return float(value)
    assert get_origin(kind) is tuple
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise invalid(f"{place}: is a list")
    if len(value) > bounds["count"]:
        raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"{place}: has at most {bounds['count']} entries")
    item = get_args(kind)[0]
    if item is str:
        return tuple(text for one in value if (text := _value(str, one, bounds, place)))
    return tuple(_read(item, one, place) for one in value)


def _keyed(document: Document) -> Document:
    """Keys that follow from what they name: two people who add different films at once give them different keys."""

    def key(taken: set[str], content: str) -> str:
        number = 0
        while (found := hashlib.sha256(f"{content}\0{number}".encode()).hexdigest()[:12]) in taken:
            number += 1
        taken.add(found)
        return found

    shown = {one.key for one in document.images if one.key}
    headed = {one.key for one in document.sections if one.key}
    images = (one if one.key else replace(one, key=key(shown, one.image_id or one.blob)) for one in document.images)
    sections = (one if one.key else replace(one, key=key(headed, one.heading)) for one in document.sections)
    return replace(document, images=tuple(images), sections=tuple(sections))


def _consistent(document: Document) -> None:
    for name, items in (("images", document.images), ("sections", document.sections)):
        keys = [one.key for one in items]
        if len(set(keys)) < len(keys):
            raise invalid(f"{name}: a key is given twice; each has its own")
        if not all(_KEY.fullmatch(key) for key in keys):
            raise invalid(f"{name}: a key has letters, digits, '_' and '-', at most 32")
    known = {one.key for one in document.sections} | {""}
    if any(one.section not in known for one in document.images):
        raise invalid("images: a section is named that the file does not have")
