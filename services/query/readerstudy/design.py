"""What a study asks: checked once, with its defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from services.core import filters
from services.core.errors import invalid
from services.core.filters import fields as known
from services.core.limits import MAX_TEXT_CHARS

MOST_SETS, MOST_FILMS, MOST_READERS = 500, 20, 100
MOST_GRADE = 3
_MOST_STRATA = 40


class Kind(StrEnum):
    """What readers do with a set."""

    CHOOSE = "choose"  # the k candidates most like the query
    PAIRS = "pairs"  # of two candidates the one more like it
    GRADES = "grades"  # each candidate gets 0 to 3


class Against(StrEnum):
    """Whose the candidates are that are not the model's nearest."""

    FURTHEST = "furthest"
    RANDOM = "random"


INSTRUCTIONS = {
    Kind.CHOOSE: "Choose the {choose} films most like the reference film: the same findings, to the same degree.",
    Kind.PAIRS: "Which of the two films is more like the reference film: the same findings, to the same degree?",
    Kind.GRADES: "How much is each film like the reference film? 0 not at all, 1 a little, 2 much, 3 the same "
    "findings to the same degree.",
}


@dataclass(frozen=True, slots=True)
class Design:
    """A design. Raises INVALID_ARGUMENT on construction when it makes no study; INVALID_FILTER for filters."""

    kind: Kind = Kind.CHOOSE
    model: str = ""
    sets: int = 25
    nearest: int = 5
    others: int = 5
    against: Against = Against.FURTHEST
    filter: str = ""
    candidates: str = ""
    strata: tuple[str, ...] = ()
    stratify: str = ""
    repeats: int = 0
    seed: int = 0
    instructions: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.sets <= MOST_SETS:
            raise invalid(f"a study has between 1 and {MOST_SETS} sets")
        if self.kind is Kind.PAIRS and (self.nearest, self.others) != (1, 1):
            raise invalid("a pair is one of the nearest films and one other; leave nearest and others out")
        if self.nearest < 1 or self.others < 1 or self.films > MOST_FILMS:
            raise invalid(f"a set has at least one of the nearest films and one other, {MOST_FILMS} at most")
        if not 0 <= self.repeats <= self.sets // 2:
            raise invalid("at most half of the sets come twice")
        if not 0 <= self.seed < 2**31:
            raise invalid("seed is between 0 and 2147483647")
        if self.strata and self.stratify:
            raise invalid("give either strata or stratify")
        if len(self.strata) > _MOST_STRATA:
            raise invalid(f"at most {_MOST_STRATA} strata")
        if len(self.instructions) > MAX_TEXT_CHARS:
            raise invalid(f"instructions have at most {MAX_TEXT_CHARS} characters")
        for text in (self.filter, self.candidates, *self.strata):
            filters.parse(text)
        if self.stratify:
            known.field(self.stratify)

    @property
    def films(self) -> int:
        """Candidates of a set."""
        return self.nearest + self.others

    @property
    def told(self) -> str:
        """What readers are told to do."""
        return self.instructions.strip() or INSTRUCTIONS[self.kind].format(choose=self.nearest)

    def as_json(self) -> dict[str, object]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, told: Mapping[str, object]) -> Design:
        """From JSON, or from what a client said; empty means the default. Raises INVALID_ARGUMENT."""
        given = {field.name: told[field.name] for field in fields(cls) if told.get(field.name)}
        try:
            kind = Kind(str(given.pop("kind", Kind.CHOOSE)))
            against = Against(str(given.pop("against", Against.FURTHEST)))
        except ValueError:
            raise invalid("kind is choose, pairs or grades; against is furthest or random") from None
        if kind is Kind.PAIRS:
            given = {"nearest": 1, "others": 1} | given
        strata = tuple(given.pop("strata", ()))  # type: ignore[call-overload]
        return cls(kind=kind, against=against, strata=strata, **given)  # type: ignore[arg-type]
