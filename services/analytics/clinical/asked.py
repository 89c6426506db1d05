"""What is asked of films and clinical tables together."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from services.analytics.asked import Asked
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, sides
from services.core.filters.fields import SIDE, side_key
from services.core.models import ModelSpec

FILMS = ("first", "last", "mean")
REDUCTIONS = ("pca", "vae")
METHODS = ("kmeans", "gmm", "leiden")
AGE, SEX = "age", "sex"
HOW = ("orientation", "manufacturer", "device")  # a film was taken, beside its dataset and view


@dataclass(frozen=True, kw_only=True)
class ClinicalAsked(Asked):
    """outcome, time: columns of side tables, ``side.TABLE.COLUMN``; without a time the outcome is yes or no, with one
    it is an event at that time or no event until then; without either there are clusters alone.  event: the outcome's
    value that is an event, empty for 1, yes or true.  variables: names or patterns of the columns that are joined with
    the vectors; empty for age, sex and every side table.  film: which of a patient's films.  components: principal
    components of each model, 0 for one in ten patients, 16 at most.  draws: bootstraps of the clusters.  folds,
    repeats: of the cross-validation."""

    kind: ClassVar[str] = "clinical"
    fields: ClassVar[tuple[str, ...]] = ("study_id", "study_date", "study_order", *HOW)

    outcome: str = ""
    time: str = ""
    event: str = ""
    variables: tuple[str, ...] = ()
    film: str = "first"
    reductions: tuple[str, ...] = REDUCTIONS
    methods: tuple[str, ...] = METHODS
    components: int = 0
    most_clusters: int = 6
    draws: int = 25
    folds: int = 5
    repeats: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("outcome", "time"):
            object.__setattr__(self, name, _column(getattr(self, name)))
        object.__setattr__(self, "variables", tuple(dict.fromkeys(_pattern(name) for name in self.variables)))
        if self.time and not self.outcome:
            raise invalid("a time needs the outcome that happens then: name both")
        if self.outcome and self.outcome == self.time:
            raise invalid("outcome and time are two columns")
        if self.film not in FILMS:
            raise invalid(f"film is one of {', '.join(FILMS)}")
        if not set(self.reductions) <= set(REDUCTIONS):
            raise invalid(f"reductions are {', '.join(REDUCTIONS)}")
        if not set(self.methods) <= set(METHODS):
            raise invalid(f"methods are {', '.join(METHODS)}")
        if not 0 <= self.components <= 64:
            raise invalid("components is between 1 and 64 (0: one in ten patients, 16 at most)")
        if not 2 <= self.most_clusters <= 20:
            raise invalid("most_clusters is between 2 and 20")
        if not 10 <= self.draws <= 1_000:
            raise invalid("draws is between 10 and 1,000")
        if not 2 <= self.folds <= 20 or not 1 <= self.repeats <= 50:
            raise invalid("folds is between 2 and 20, repeats between 1 and 50")

    def check(self, facts: Facts) -> list[ModelSpec]:
        """As of every analysis, and of the columns named. Raises FAILED_PRECONDITION where there is no variable."""
        specs = super().check(facts)
        known = columns(facts)
        for name in filter(None, (self.outcome, self.time)):
            if name not in known:
                raise invalid("the outcome or its time is no column of a side table; `hilum side list` names them")
        strange = [name for name in self.variables if not any(fnmatchcase(one, name) for one in (AGE, SEX, *known))]
        if strange:
            raise invalid(
                f"{len(strange)} of the variables name no column: they are age, sex and what `hilum side list` names"
            )
        if not self.chosen([*known]):
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                "no variable is left beside the outcome; add a side table (hilum side add), or name others",
            )
        return specs

    def chosen(self, known: list[str]) -> list[str]:
        """The variables: age, sex and those of `known` that are asked for, but for outcome and time."""
        patterns = self.variables or (AGE, SEX, f"{SIDE}*")
        return [
            name
            for name in (AGE, SEX, *known)
            if name not in (self.outcome, self.time) and any(fnmatchcase(name, one) for one in patterns)
        ]


def columns(facts: Facts) -> dict[str, list[sides.SideTable]]:
    """``side.TABLE.COLUMN`` → the tables, one of each dataset that has it."""
    found: dict[str, list[sides.SideTable]] = {}
    for table in sides.listed(facts):
        for column in table.columns:
            found.setdefault(f"{SIDE}{table.name}.{column.name}", []).append(table)
    return dict(sorted(found.items()))


def _column(name: str) -> str:
    """In full. ``sides.`` is understood, too."""
    if not name:
        return ""
    table, dot, column = _pattern(name).removeprefix(SIDE).partition(".")
    if not (name.startswith(("side.", "sides.")) and dot and side_key(table) and side_key(column)):
        raise invalid("outcome and time are columns of side tables, as in side.clinical.death")
    return f"{SIDE}{side_key(table)}.{side_key(column)}"


def _pattern(name: str) -> str:
    return SIDE + name.removeprefix("sides.") if name.startswith("sides.") else name
