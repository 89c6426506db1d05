"""What to look for: a film, words, a vector, a study, a part of a film, examples, and mixtures of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.ids import parse_image_id
from services.core.limits import MAX_TEXT_CHARS, MAX_UPLOAD_BYTES

MAX_PARTS = 32
# Rocchio's rule (1971) as text retrieval uses it: the weight of all that is relevant together, and of all that is not,
# where a question's own weight is 1. The only place that says so.
TOWARDS, AWAY = 0.75, 0.25


@dataclass(frozen=True, slots=True)
class StoredFilm:
    """A film of the archive."""

    image_id: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_id", parse_image_id(self.image_id))


@dataclass(frozen=True, slots=True)
class UploadedFilm:
    """A film as a file: DICOM, PNG or JPEG."""

    data: bytes

    def __post_init__(self) -> None:
        if not self.data:
            raise invalid("the film is empty; send the bytes of a DICOM, PNG or JPEG file")
        if len(self.data) > MAX_UPLOAD_BYTES:
            raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a film may hold at most {MAX_UPLOAD_BYTES // 2**20} MiB")


@dataclass(frozen=True, slots=True)
class Words:
    """What a film should show, in words."""

    text: str

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise invalid("the text is empty; say what the films should show")
        if len(self.text) > MAX_TEXT_CHARS:
            raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a text has at most {MAX_TEXT_CHARS} characters")


@dataclass(frozen=True, slots=True)
class RawVector:
    """A vector of the one model named: (D,) float32, finite, not zero; (T, D) where it compares several."""

    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StudyFilms:
    """All films of a study: its frontal films seek frontal ones, its lateral films lateral ones."""

    dataset: str
    study_id: str

    def __post_init__(self) -> None:
        if not self.dataset or not self.study_id:
            raise invalid("a study is named by its dataset and its study_id")


@dataclass(frozen=True, slots=True)
class FilmRegion:
    """A part of a film: fractions of the film as shown, from its top left corner."""

    film: StoredFilm | UploadedFilm
    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        sides = (self.x, self.y, self.width, self.height)
        inside = all(map(math.isfinite, sides)) and min(self.x, self.y) >= 0 and min(self.width, self.height) >= 0.02
        if not inside or self.x + self.width > 1.0001 or self.y + self.height > 1.0001:
            raise invalid("a region lies inside the film: x, y, width and height are fractions of it, 0.02 at least")


@dataclass(frozen=True, slots=True)
class ReportWords:
    """The words of a stored report: of one section, or of the one that concludes."""

    dataset: str
    study_id: str
    section: str = ""

    def __post_init__(self) -> None:
        if not self.dataset or not self.study_id:
            raise invalid("a report is named by its dataset and its study_id")


Single: TypeAlias = StoredFilm | UploadedFilm | Words | RawVector | StudyFilms | FilmRegion | ReportWords


@dataclass(frozen=True, slots=True)
class Mixture:
    """Several at once, each with its weight; a weight below 0 leads away from it."""

    parts: tuple[tuple[Single, float], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.parts) <= MAX_PARTS:
            raise invalid(f"a mixture has between 1 and {MAX_PARTS} parts")
        if not all(math.isfinite(weight) and 0 < abs(weight) <= 1000 for _, weight in self.parts):
            raise invalid("a weight is a number other than 0, at most 1000")
        if not any(weight > 0 for _, weight in self.parts):
            raise invalid("say at least one thing to look for; weights below 0 only lead away")


@dataclass(frozen=True, slots=True)
class Liked:
    """Films marked relevant and not: Qdrant's own recommendation, by the best score (nearer to one that is liked than
    to any that is not). Scores are then no cosines."""

    positive: tuple[StoredFilm, ...]
    negative: tuple[StoredFilm, ...] = ()

    def __post_init__(self) -> None:
        if not self.positive:
            raise invalid("give at least one positive example")


By: TypeAlias = Single | Mixture | Liked


def examples(positive: Sequence[Single], negative: Sequence[Single]) -> Mixture:
    """Like the positive ones, unlike the negative ones: both sides count by their means."""
    if not positive:
        raise invalid("give at least one positive example")
    towards = [(one, 1 / len(positive)) for one in positive]
    return Mixture((*towards, *((one, -AWAY / len(negative)) for one in negative)))


def moved(question: By | None, liked: Sequence[tuple[Single, float]], disliked: Sequence[Single]) -> Mixture:
    """The question moved towards what is liked, each by its grade, and away from what is not."""
    total = sum(grade for _, grade in liked)
    towards = [(one, TOWARDS * grade / total) for one, grade in liked]
    return Mixture((*parts(question), *towards, *((one, -AWAY / len(disliked)) for one in disliked)))


def parts(by: By | None) -> tuple[tuple[Single, float], ...]:
    """Every single thing looked for, with its weight."""
    if by is None:
        return ()
    if isinstance(by, Liked):
        return (*((film, 1.0) for film in by.positive), *((film, -1.0) for film in by.negative))
    return by.parts if isinstance(by, Mixture) else ((by, 1.0),)


def kinds(by: By | None) -> set[type]:
    """The kinds of things looked for."""
    return {type(one) for one, _ in parts(by)}
