"""What every analysis is asked: of which models, which films, with which seed. Imports nothing heavy.

A kind of analysis (`services.analytics.kinds`) adds its own questions in a subclass. What is asked is kept as JSON of
the contract's ``CreateRunRequest``, so that a manifest's ``asked``, sent again, makes the run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from services.analytics import sample
from services.core import filters
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, images
from services.core.facts import models as known_models
from services.core.labels import label_key
from services.core.models import ModelSpec
from services.core.spelling import meant

MAX_K = 200
MAX_MODELS = 32
MAX_LABELS = 64
MAX_SEED = 2**31 - 1
MAP = "map"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """models: names, in the order of the report.  filter: AIP-160 text, empty for every film.
    sample_size: 0 for every film that matches.  k: neighbours of the graph.  labels: finding keys; empty for those with
    enough statements.

    A subclass names its `kind` (a member of the contract's ``analysis``), adds fields of that member's names with
    defaults in place of its zeros, and checks them in `__post_init__`.
    """

    kind: ClassVar[str] = MAP
    together: ClassVar[bool] = True  # of films that every model holds; else each model of those it holds
    graph: ClassVar[bool] = True  # of graphs of k neighbours; else it can do without a model
    every_model: ClassVar[bool] = True  # of every model with films, where none is named; else of none
    fields: ClassVar[tuple[str, ...]] = ()  # of films' records, to be in `Bench.frame` beside those of every sample

    models: tuple[str, ...] = ()
    filter: str = ""
    sample_size: int = 0
    seed: int = 0
    k: int = 15
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(dict.fromkeys(map(label_key, self.labels))))
        if not self.graph <= len(self.models) <= MAX_MODELS:
            raise invalid(f"name between {int(self.graph)} and {MAX_MODELS} models")
        if len(set(self.models)) < len(self.models):
            raise invalid("a model is named twice; name each once")
        if self.sample_size < 0:
            raise invalid("sample_size is 0 (every film that matches) or the number of films to draw")
        if not 2 <= self.k <= MAX_K:
            raise invalid(f"k, the neighbours of the graph, is between 2 and {MAX_K} (0: {Asked.k})")
        if not 0 <= self.seed <= MAX_SEED:
            raise invalid(f"seed is between 0 and {MAX_SEED}")
        if len(self.labels) > MAX_LABELS:
            raise invalid(f"name at most {MAX_LABELS} labels")

    @classmethod
    def parse(cls, asked: Mapping[str, Any]) -> Self:
        """Read a ``CreateRunRequest`` as JSON, or what `as_json` wrote. Empty and zero are the defaults.
        Raises INVALID_ARGUMENT."""
        try:
            given = {**asked, **(asked.get(cls.kind) or {})}
            return cls(**{f.name: _READ[str(f.type)](given[f.name]) for f in fields(cls) if given.get(f.name)})
        except (TypeError, ValueError, KeyError, AttributeError):
            raise invalid("this is no analysis request; see its fields in the contract") from None

    def as_json(self) -> dict[str, Any]:
        """The request in plain JSON; `parse` reads it back."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        if not self.graph:
            del plain["k"]
        if self.kind == MAP:  # its questions came before there were other kinds, and are not in a message of their own
            return plain
        shared = {field.name for field in fields(Asked)} | {"resolutions"}
        own = {name: value for name, value in plain.items() if name not in shared}
        return {**{name: value for name, value in plain.items() if name in shared}, self.kind: own}

    def check(self, facts: Facts) -> list[ModelSpec]:
        """The models' specs, when this run can be made. Cheap: asked before a job is submitted, and when it starts.

        Raises UNKNOWN_MODEL, INVALID_FILTER, INVALID_ARGUMENT, FAILED_PRECONDITION.
        """
        specs = [known_models.named(facts, name) for name in self.models]
        filters.check(filters.parse(self.filter), facts)
        stated = images.stated_findings(facts)
        if strange := sorted(set(self.labels) - stated):
            raise HilumError(
                ErrorCode.INVALID_ARGUMENT,
                f"no film states {len(strange)} of these labels{meant(strange[0], stated) or ';'} leave labels empty "
                "to measure those that are stated",
            )
        for held in [specs] if self.together else [[spec] for spec in specs]:
            self.enough(sample.count(facts, self.filter, held))
        return specs

    def enough(self, films: int) -> None:
        """Raises FAILED_PRECONDITION when so few films make no graph of k neighbours, or there is none."""
        films = min(films, self.sample_size or films)
        if not films:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "0 films match; widen the filter or ingest films")
        if self.graph and films < self.k + 2:
            which = "every one of these models holds" if len(self.models) > 1 else "this model holds"
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"{films} films match that {which}; a graph of k={self.k} needs {self.k + 2}: widen the filter,"
                " ingest more films or lower k",
            )


def _words(given: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, given))


_READ: dict[str, Callable[[Any], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "tuple[str, ...]": _words,
    "tuple[int, ...]": lambda given: tuple(map(int, given)),
    "tuple[float, ...]": lambda given: tuple(map(float, given)),
}
