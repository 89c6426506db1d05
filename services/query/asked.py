"""A question and its answer: frozen, checked once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.core.errors import invalid
from services.core.filters.fields import LABELS
from services.core.filters.fields import field as filter_field
from services.core.limits import MAX_PAGE_SIZE, MAX_SEARCH_LIMIT
from services.core.models import ModelSpec
from services.query.by import By, RawVector, kinds
from services.query.films import StoredImage
from services.query.fusion import Fusion, Place
from services.query.words import Mention

DEFAULT_LIMIT = 10
MAX_MODELS = 16
MAX_PAGED = 10_000  # films of an answer that is read in pages


class Exclude(StrEnum):
    """Whose films do not count as answers. A stored film is never an answer to itself."""

    PATIENT = "patient"  # nor any other film of its patient: they are alike because it is the same person
    STUDY = "study"
    NONE = "none"


class Mode(StrEnum):
    """Which films of those that pass are wanted."""

    NEAREST = "nearest"
    TYPICAL = "typical"  # of a finding: near the middle of the films that have it
    ATYPICAL = "atypical"  # far from it
    LOOKALIKE = "lookalike"  # near, and with another diagnosis
    DISAGREE = "disagree"  # near for one model and far for another


class Hubs(StrEnum):
    """What becomes of films that are near everything."""

    KEEP = "keep"
    CSLS = "csls"
    SCALING = "scaling"


class GroupBy(StrEnum):
    """What hits stand together by."""

    FILM = ""
    PATIENT = "patient"
    STUDY = "study"


class Reading(StrEnum):
    """How words are read."""

    UNDERSTOOD = "understood"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Ranking:
    """How films are put in order.

    weights: model → its say in the fusion, 1 where not named.  finding: key of the finding a mode is about.
    diversity: 0 for the nearest, up to 1 for the most different among the near.  at_least: calibrated probability.
    """

    mode: Mode = Mode.NEAREST
    finding: str = ""
    fusion: Fusion = Fusion.RRF
    weights: Mapping[str, float] = field(default_factory=dict)
    hubs: Hubs = Hubs.KEEP
    diversity: float = 0.0
    at_least: float = 0.0
    reading: Reading = Reading.UNDERSTOOD

    def __post_init__(self) -> None:
        if not 0 <= self.diversity <= 1:
            raise invalid("diversity is between 0 and 1")
        if not 0 <= self.at_least < 1:
            raise invalid("at_least is a probability: 0 or more, and below 1")
        if not all(math.isfinite(weight) and 0 <= weight <= 1000 for weight in self.weights.values()):
            raise invalid("a model's weight is between 0 and 1000")
        if self.finding:
            object.__setattr__(self, "finding", filter_field(LABELS + self.finding).name.removeprefix(LABELS))
        if self.mode in (Mode.TYPICAL, Mode.ATYPICAL) and not self.finding:
            raise invalid(f"say of which finding films are {self.mode}, as in finding = pleural_effusion")


@dataclass(frozen=True, slots=True)
class Showing:
    """How hits are shown: together by patient or study, few of each patient, copies folded, priors apart, in pages."""

    group_by: GroupBy = GroupBy.FILM
    group_size: int = 3
    per_patient: int = 0
    fold: bool = True
    priors: bool = False
    page_size: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.group_size <= 100:
            raise invalid("group_size is between 1 and 100 (0: 3)")
        if not 0 <= self.per_patient <= MAX_SEARCH_LIMIT:
            raise invalid(f"per_patient is between 0 (no bound) and {MAX_SEARCH_LIMIT}")
        if not 0 <= self.page_size <= MAX_PAGE_SIZE:
            raise invalid(f"page_size is between 0 (no pages) and {MAX_PAGE_SIZE}")


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """One question. Raises INVALID_ARGUMENT on construction when it cannot be asked.

    by: None only where a mode says enough: typical and atypical films of a finding.
    models: names; empty for the first that can answer.  filter: text of `core.filters`.  limit: 0 for the default.
    exact: compare with every film instead of the approximate index.
    """

    by: By | None
    models: tuple[str, ...] = ()
    filter: str = ""
    limit: int = DEFAULT_LIMIT
    exclude: Exclude = Exclude.PATIENT
    exact: bool = False
    ranking: Ranking = Ranking()
    showing: Showing = Showing()

    def __post_init__(self) -> None:
        most = MAX_PAGED if self.showing.page_size else MAX_SEARCH_LIMIT
        if not 0 <= self.limit <= most:
            pages = "" if self.showing.page_size else f"; with page_size, {MAX_PAGED}"
            raise invalid(f"limit is between 1 and {most} (0: {DEFAULT_LIMIT}){pages}")
        if len(self.models) > MAX_MODELS:
            raise invalid(f"at most {MAX_MODELS} models answer one question")
        if len(set(self.models)) != len(self.models):
            raise invalid("a model is named twice; name each once")
        if RawVector in kinds(self.by) and len(self.models) != 1:
            raise invalid("a vector belongs to one model; name that one in models")
        if self.by is None and self.ranking.mode not in (Mode.TYPICAL, Mode.ATYPICAL):
            raise invalid("say what to look for: a film, words, a vector, a study, a region, examples or a mixture")
        if self.ranking.mode is Mode.DISAGREE and len(self.models) < 2:
            raise invalid("name the two or more models whose disagreement is asked for")

    @property
    def wanted(self) -> int:
        """Films, or groups where hits are grouped."""
        return self.limit or DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a score means on labelled films of other patients: P(shares the finding), with its 95 % interval.

    finding: empty for any finding of the film asked with.  model: whose score it was read from.
    """

    probability: float
    low: float
    high: float
    finding: str
    model: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer. `score` is a cosine for one model and a fused score for several; `places` are its ranks.

    copies: ids of other films that are the same one.  group: what it stands with.  hub: how much more often it is a
    neighbour than the mean film, 0 where nobody measured.  why: what a mode says of it.
    """

    image: StoredImage
    score: float
    places: tuple[Place, ...]
    same_patient: bool
    meaning: Meaning | None = None
    copies: tuple[str, ...] = ()
    group: str = ""
    hub: float = 0.0
    why: str = ""


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
    """Films, best first. `nothing_comparable`: none is near enough for what these models can tell apart.

    warnings: what is strange about the films that were brought to ask with.
    """

    hits: tuple[Hit, ...]
    provenance: Provenance
    priors: tuple[Hit, ...] = ()
    understood: tuple[Mention, ...] = ()
    nothing_comparable: bool = False
    next_token: str = ""
    warnings: tuple[str, ...] = ()
