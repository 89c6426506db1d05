"""Answers: films, what is known of each, and how the answer came about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hilum import showing
from hilum.v1 import common_pb2, query_pb2


@dataclass(frozen=True, slots=True)
class Film:
    """A stored film. None means unknown; `labels` lists only what somebody stated."""

    image_id: str
    dataset: str
    patient_id: str | None
    study_id: str | None
    view: str | None
    sex: str | None
    age: float | None
    study_date: str | None
    labels: dict[str, str]

    @classmethod
    def of(cls, image: common_pb2.Image) -> Film:
        return cls(
            image.image_id, image.dataset, image.patient_id or None, image.study_id or None, image.view or None,
            image.sex or None, image.age if image.HasField("age") else None, image.study_date or None,
            dict(sorted(image.labels.items())),
        )  # fmt: skip

    @property
    def present(self) -> list[str]:
        """Findings stated as present."""
        return [name for name, state in self.labels.items() if state == "present"]


class Place(NamedTuple):
    """Where one model put a hit: its rank, from 1, and its cosine."""

    model: str
    rank: int
    score: float


class Calibrated(NamedTuple):
    """P(shares the finding) of labelled films of other patients with such a score, with its 95 % interval.

    finding: empty for any finding of the film asked with.  model: whose score it is read from.
    """

    probability: float
    low: float
    high: float
    finding: str
    model: str

    def __str__(self) -> str:
        return f"{self.probability:.2f} [{self.low:.2f}, {self.high:.2f}]"


class Understood(NamedTuple):
    """How words were read. finding: empty for words that the grammar knows nothing of."""

    finding: str
    words: str
    polarity: str
    side: str
    severity: str

    def __str__(self) -> str:
        said = " ".join(filter(None, (self.severity, self.side, self.finding.replace("_", " "))))
        return f"“{self.words}”: {said}, {self.polarity}" if self.finding else f"“{self.words}”: as it is"


@dataclass(frozen=True, slots=True)
class Hit:
    """A film that a search found. agreement: of every model that found it, of the `asked` that were asked.

    calibrated: what the score means; None where the model was not calibrated.  copies: ids of other films that are this
    one.  group: the patient or study it stands with.  hub: how much more often it is a neighbour than the mean film;
    None where nobody measured.  why: what a mode chose it for.
    """

    film: Film
    score: float
    same_patient: bool
    agreement: list[Place]
    asked: int = 1
    calibrated: Calibrated | None = None
    copies: list[str] = field(default_factory=list)
    group: str = ""
    hub: float | None = None
    why: str = ""

    @classmethod
    def of(cls, hit: query_pb2.Hit, asked: int) -> Hit:
        said = hit.calibrated
        calibrated = Calibrated(said.probability, said.low, said.high, said.finding, said.model)
        return cls(
            Film.of(hit.image), hit.score, hit.same_patient, [Place(a.model, a.rank, a.score) for a in hit.agreement],
            asked, calibrated if hit.HasField("calibrated") else None, list(hit.copies), hit.group, hit.hub or None,
            hit.why,
        )  # fmt: skip

    @property
    def image_id(self) -> str:
        return self.film.image_id

    @property
    def agrees(self) -> str:
        """How many of the models asked found it: ``5 of 7``."""
        return f"{len(self.agreement)} of {self.asked}"


@dataclass(frozen=True)
class SearchResult(Sequence[Hit]):
    """Hits, best first, with how the answer came about. It prints as a table; in a notebook it shows the films.

    priors: the patient's own films, earliest study first.  nothing_comparable: no film is near enough to be called
    similar; hits are the nearest there are.  next_page_token: for `Client.page`, where pages were asked for.
    warnings: what is strange about the films that were brought to ask with.
    """

    hits: list[Hit]
    provenance: dict[str, Any]
    priors: list[Hit] = field(default_factory=list)
    understood: list[Understood] = field(default_factory=list)
    nothing_comparable: bool = False
    next_page_token: str = ""
    warnings: list[str] = field(default_factory=list)
    _pictures: showing.Pictures = field(default_factory=showing.Pictures, repr=False, compare=False)

    @classmethod
    def of(cls, answer: query_pb2.SearchResponse, thumbnail: showing.Thumbnail | None = None) -> SearchResult:
        said = answer.provenance
        provenance = {
            "models": {m.name: {"fingerprint": m.fingerprint, "collection": m.collection} for m in said.models},
            "filter": said.filter, "exclude": said.exclude, "exact": said.exact, "versions": dict(said.versions),
            "time": said.time, "elapsed_ms": said.elapsed_ms,
            "notes": list(said.notes),
        }  # fmt: skip
        asked = answer.models_asked or len(said.models)
        return cls(
            [Hit.of(hit, asked) for hit in answer.hits],
            provenance,
            [Hit.of(hit, asked) for hit in answer.priors],
            [Understood(u.finding, u.words, u.polarity, u.side, u.severity) for u in answer.understood],
            answer.nothing_comparable,
            answer.next_page_token,
            list(answer.warnings),
            showing.Pictures(thumbnail),
        )

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: Any) -> Any:
        return self.hits[index]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def groups(self) -> dict[str, list[Hit]]:
        """Patient or study → its hits, best group first, of a search with `group_by`."""
        found: dict[str, list[Hit]] = {}
        for hit in self.hits:
            found.setdefault(hit.group, []).append(hit)
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per hit, with all that is known of it."""
        return [showing.row(rank, hit) for rank, hit in enumerate(self.hits, 1)]

    def to_pandas(self) -> Any:
        """The rows as a pandas DataFrame."""
        return self.to_arrow().to_pandas()

    def to_arrow(self) -> Any:
        """The rows as a pyarrow Table, of the same types whatever was found."""
        import pyarrow

        kinds = {"integer": pyarrow.int64(), "number": pyarrow.float64(), "truth": pyarrow.bool_()}
        schema = [(name, kinds.get(kind, pyarrow.string())) for name, kind in showing.COLUMNS.items()]
        return pyarrow.Table.from_pylist(self.rows(), pyarrow.schema(schema))

    def __str__(self) -> str:
        return "\n".join([*showing.head(self), showing.text(self.rows())])

    def _repr_html_(self) -> str:
        """A grid of films for notebooks; the pictures travel inside it. Those of an async answer come with
        ``await client.pictures(answer)``; until then it shows its table."""
        return showing.grid(self, self._pictures)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a film is not among the answers. rank: among all films that pass, exact; None where it was not ranked.

    code: unknown, access, filter, excluded, not-held, not-current, below-limit, copy, cap, mode, found.
    clause: the part of the filter that it does not pass.
    """

    code: str
    message: str
    model: str = ""
    rank: int | None = None
    score: float | None = None
    clause: str = ""

    @classmethod
    def of(cls, reason: query_pb2.Reason) -> Reason:
        ranked = bool(reason.rank)
        return cls(
            reason.code, reason.message, reason.model, reason.rank if ranked else None,
            reason.score if ranked else None, reason.clause,
        )  # fmt: skip

    def __str__(self) -> str:
        place = f" (rank {self.rank}, {self.score:.4f})" if self.rank else ""
        return f"{self.code}: {self.message}{f': {self.clause}' if self.clause else ''}{place}"
