"""A question for reports, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.core.errors import invalid
from services.core.limits import MAX_SEARCH_LIMIT
from services.core.types import ReportKey
from services.query.asked import DEFAULT_LIMIT, Exclude, Provenance
from services.query.by import StoredFilm, UploadedFilm, Words
from services.query.films import StoredImage


class How(StrEnum):
    """By what reports are found."""

    FUSED = "fused"  # by both, as far as both can answer
    WORDS = "words"  # BM25
    MEANING = "meaning"  # of a model's text tower


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """One question. Raises INVALID_ARGUMENT on construction when it cannot be asked.

    model: of the meaning; empty for the first that can.  filter: on the films of a report's study.  section: such as
    ``impression``; empty for all.  limit: 0 for the default.  exclude: whose reports do not count beside a film's own.
    """

    by: Words | StoredFilm | UploadedFilm
    how: How = How.FUSED
    model: str = ""
    filter: str = ""
    section: str = ""
    limit: int = DEFAULT_LIMIT
    exclude: Exclude = Exclude.PATIENT

    def __post_init__(self) -> None:
        if not 0 <= self.limit <= MAX_SEARCH_LIMIT:
            raise invalid(f"limit is between 1 and {MAX_SEARCH_LIMIT} (0: {DEFAULT_LIMIT})")
        if not isinstance(self.by, Words):
            if self.how is How.WORDS:
                raise invalid("a film has no words; search by text, or leave `how` out")
            object.__setattr__(self, "how", How.MEANING)
        if self.how is How.WORDS and self.model:
            raise invalid("words need no model; leave it out, or search by meaning")


@dataclass(frozen=True, slots=True)
class ReportHit:
    """A section. `score` is the BM25 score, the cosine or, fused, the sum of 1 / (60 + rank); a rank of 0 says that it
    was not found in that way. `sentences` answer best; `images` are the films of the study."""

    key: ReportKey
    text: str
    score: float
    lexical_rank: int = 0
    meaning_rank: int = 0
    sentences: tuple[str, ...] = ()
    images: tuple[StoredImage, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """Sections, best first. `indexed`: how many can be found at all."""

    hits: tuple[ReportHit, ...]
    provenance: Provenance
    indexed: int
