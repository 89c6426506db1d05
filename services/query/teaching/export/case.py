"""What an export is made of: a case, its pictures, whose they are, and what was left out and why.

Gathered once for all formats. No name, id or date of a person, study or file is in it: pictures are pixels alone, and
a film says no more of its patient than sex and age.
"""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.query.teaching.document import Annotation, Document
from services.query.teaching.export import marks

NOTE = "For teaching and research. Pictures are reduced and not for diagnosis."
QUALITY = 92  # of JPEG
PURPOSES = ("teaching", "trial", "research", "publication")  # of IHE TCE
CODES = ("dcm", "iheradtf")


@dataclass(frozen=True)
class Film:
    """A picture of the case. number: its place, from 1.  pixels: (H, W) uint8, bone bright.  age: years, at most 90.
    person: tells films of one patient from those of others, and nothing else.  section, part: key and heading of the
    section that shows it.  changeable: marks may be drawn into it.  written: there is or may be writing in it.
    seed: of keyed names; stays inside."""

    number: int
    key: str
    pixels: NDArray[np.uint8]
    person: str
    seed: str
    view: str = ""
    sex: str = ""
    age: float | None = None
    modality: str = ""
    section: str = ""
    part: str = ""
    caption: str = ""
    key_note: str = ""
    why: str = ""
    severity: str = ""
    marks: tuple[Annotation, ...] = ()
    licence: str = ""
    attribution: str = ""
    right: str = ""
    changeable: bool = True
    written: bool = False

    @property
    def name(self) -> str:
        """Of its files."""
        return f"film-{self.number:02d}"

    @property
    def title(self) -> str:
        """``Film 2 · PA``: says nothing of the answer."""
        return " · ".join(part for part in (f"Film {self.number}", self.view) if part)

    @property
    def about(self) -> str:
        """``PA · female · 63 years``."""
        return " · ".join(part for part in (self.view, self.patient) if part)

    @property
    def patient(self) -> str:
        """``female · 63 years``."""
        return " · ".join(part for part in (sex_word(self.sex), years(self.age)) if part)

    @property
    def credit(self) -> str:
        """What must stand beside it."""
        said = [f"Licence: {self.licence or 'not stated'}."]
        if self.attribution:
            said.append(f"{self.attribution.rstrip('.')}.")
        if self.right:
            said.append(f"Shown by right of: {self.right.rstrip('.')}.")
        return " ".join(said)

    @property
    def notes(self) -> list[tuple[str, str]]:
        """What is said of it once the answer may be known: (heading, text)."""
        told = (
            ("Part", self.part), ("", self.caption), ("Key image", self.key_note), ("Severity", self.severity),
            ("Chosen", self.why),
        )  # fmt: skip
        return [(heading, text) for heading, text in told if text]

    @cached_property
    def jpeg(self) -> bytes:
        """The picture as a grey JPEG without any metadata."""
        return _jpeg(Image.fromarray(self.pixels))

    @cached_property
    def marked(self) -> bytes:
        """The same with its marks drawn in, in colour; the picture itself where there are none or its licence lets
        nobody change it."""
        return _jpeg(marks.burnt(self.pixels, self.marks)) if self.marks and self.changeable else self.jpeg

    def icon(self, width: int) -> bytes:
        """A small JPEG."""
        image = Image.fromarray(self.pixels)
        return _jpeg(image.resize((width, max(1, round(width * image.height / image.width))), Image.Resampling.LANCZOS))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A film that is not in the export. number: its place in the case."""

    number: int
    why: str

    def __str__(self) -> str:
        """Number 0 is none: films that the exporter may not see."""
        return f"Film {self.number} is left out: {self.why}." if self.number else f"Left out: {self.why}."


@dataclass(frozen=True, slots=True)
class Asked:
    """What the exporter wants.

    quiz: as an unknown, the answer hidden until it is asked for.  right: in words, by which films whose licence does
    not let them be passed on may be; printed beside them.  written: films with writing in the picture were looked at
    and name nobody.  purpose: of IHE TCE: teaching, trial, research or publication.  codes: of IHE TCE: ``dcm``, those
    of DICOM, or ``iheradtf``, those of the profile's first text, which RSNA's receivers look for.
    """

    quiz: bool = False
    right: str = ""
    written: bool = False
    purpose: str = "teaching"
    codes: str = "dcm"


@dataclass(frozen=True)
class Case:
    """A teaching file as it may leave the archive. secret: the key of names that are derived."""

    file_id: str
    version: int
    document: Document
    films: tuple[Film, ...]
    left_out: tuple[LeftOut, ...]
    published: str  # the day, ISO 8601
    owner: str = ""
    read: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    export: tuple[str, ...] = ()
    secret: bytes = field(default=b"", repr=False)
    asked: Asked = Asked()

    @property
    def unknown_title(self) -> str:
        """A title that says nothing of the answer."""
        return self.document.alternative_title or "Unknown case"

    @property
    def title(self) -> str:
        """As it is first shown."""
        return self.unknown_title if self.asked.quiz else self.document.title

    @property
    def authors(self) -> str:
        """Their names."""
        return ", ".join(one.name for one in self.document.authors if one.name)

    @property
    def persons(self) -> list[tuple[Film, ...]]:
        """The films by patient, in order of their first."""
        found: dict[str, list[Film]] = {}
        for film in self.films:
            found.setdefault(film.person, []).append(film)
        return [tuple(films) for films in found.values()]

    @property
    def answer(self) -> list[tuple[str, str]]:
        """What a reader of the unknown does not see: (heading, text) of what is there."""
        of = self.document
        told = [("Findings", of.findings), ("Diagnosis", of.diagnosis)]
        told += [("Differential diagnosis", "\n".join(f"- {one}" for one in of.differential))]
        told += [("Discussion", of.discussion)]
        told += [
            (one.heading or "More", "\n\n".join(filter(None, (one.text, self._shown_in(one.key)))))
            for one in of.sections
        ]
        return [(heading, text) for heading, text in told if text]

    def _shown_in(self, section: str) -> str:
        """``Films 3, 4.``: those that belong to a section."""
        numbers = [str(film.number) for film in self.films if film.section == section]
        return f"Film{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}." if numbers else ""

    @property
    def terms(self) -> list[tuple[str, str]]:
        """What the case is filed under: (name, value) of what is there."""
        of = self.document
        told = (
            ("Anatomy", of.anatomy), ("Pathology", of.pathology), ("Organ system", of.organ_system),
            ("Modality", of.modality), ("Category", of.category), ("Level", of.level),
            ("Keywords", ", ".join(of.keywords)),
        )  # fmt: skip
        return [(name, value) for name, value in told if value]

    @property
    def credits(self) -> list[str]:
        """Whose films they are, which are left out and why, the file's own rights, and what the pictures are."""
        of: dict[str, list[str]] = {}
        for film in self.films:
            of.setdefault(film.credit, []).append(str(film.number))
        said = [f"Film{'s' if len(films) > 1 else ''} {', '.join(films)}: {credit}" for credit, films in of.items()]
        said += [str(one) for one in self.left_out]
        said += [f"Text: {self.document.rights}"] if self.document.rights else []
        return [*said, NOTE]

    def number(self, *of: object) -> int:
        """128 bits that follow from `of` and the installation's secret alone."""
        told = "\0".join(["teaching", self.file_id, *map(str, of)])
        return int.from_bytes(hmac.new(self.secret, told.encode(), hashlib.sha256).digest()[:16], "big")


Exporter = Callable[[Case], bytes]


def sex_word(sex: str) -> str:
    """In words."""
    return {"F": "female", "M": "male", "O": "other"}.get(sex, "")


def years(age: float | None) -> str:
    """In words; archives say no more of those who are 90 or older."""
    if age is None:
        return ""
    if age < 2:
        return f"{age * 12:.0f} months"
    return "90 years or older" if age >= 90 else f"{int(age)} years"


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()
