"""What may be asked, and what is answered: frozen, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.ids import parse_image_id
from services.core.limits import MAX_SEARCH_LIMIT, MAX_TEXT_CHARS, MAX_UPLOAD_BYTES
from services.core.models import ModelSpec
from services.query.films import StoredImage
from services.query.fusion import Place

DEFAULT_LIMIT = 10
MAX_MODELS = 16


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


By: TypeAlias = StoredFilm | UploadedFilm | Words | RawVector


class Exclude(StrEnum):
    """Whose films do not count as answers. A stored film is never an answer to itself."""

    PATIENT = "patient"  # nor any other film of its patient: they are alike because it is the same person
    STUDY = "study"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """One question. Raises INVALID_ARGUMENT on construction when it cannot be asked.

    models: names; empty for the first that can answer.  filter: text of `core.filters`.  limit: 0 for the default.
    exact: compare with every film instead of the approximate index.
    """

    by: By
    models: tuple[str, ...] = ()
    filter: str = ""
    limit: int = DEFAULT_LIMIT
    exclude: Exclude = Exclude.PATIENT
    exact: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.limit <= MAX_SEARCH_LIMIT:
            raise invalid(f"limit is between 1 and {MAX_SEARCH_LIMIT} (0: {DEFAULT_LIMIT})")
        if len(self.models) > MAX_MODELS:
            raise invalid(f"at most {MAX_MODELS} models answer one question")
        if len(set(self.models)) != len(self.models):
            raise invalid("a model is named twice; name each once")
        if isinstance(self.by, RawVector) and len(self.models) != 1:
            raise invalid("a vector belongs to one model; name that one in models")


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer. `score` is a cosine for one model and a fused score for several; `places` are its ranks."""

    image: StoredImage
    score: float
    places: tuple[Place, ...]
    same_patient: bool


@dataclass(frozen=True, slots=True)
class Provenance:
    """How an answer came about. `filter` is the whole condition in force, exclusions included, in canonical text."""

    models: tuple[ModelSpec, ...]
    filter: str
    exclude: Exclude
    exact: bool
    versions: dict[str, str]
    time: str
    elapsed_ms: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Films, best first."""

    hits: tuple[Hit, ...]
    provenance: Provenance
