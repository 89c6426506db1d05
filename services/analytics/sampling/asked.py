"""What is asked of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics import variables
from services.analytics.asked import Asked
from services.core import filters
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, sets
from services.core.models import ModelSpec

PROPORTIONAL, EQUAL = "proportional", "equal"
_MOST_BY, _MOST_QUOTAS = 8, 64


@dataclass(frozen=True, kw_only=True)
class SamplingAsked(Asked):
    """name: of the cohort that the sample becomes; empty: none.  by: variables whose combinations are the strata.
    allocation: as many films of each stratum as its share of the archive, or of all strata alike.  quotas: so many
    films of a filter, each as ``1000: labels.edema = present``, instead of sample_size; a film is of the first that
    it passes.  per_patient: at most so many films of a patient, 0 for any number."""

    kind: ClassVar[str] = "sampling"
    graph: ClassVar[bool] = False
    fields: ClassVar[tuple[str, ...]] = variables.FIELDS

    name: str = ""
    by: tuple[str, ...] = ()
    allocation: str = PROPORTIONAL
    quotas: tuple[str, ...] = ()
    per_patient: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "by", tuple(dict.fromkeys(map(variables.check, self.by))))
        if self.name:
            sets.name(self.name)
        if len(self.by) > _MOST_BY:
            raise invalid(f"name at most {_MOST_BY} variables to stratify by")
        if self.allocation not in (PROPORTIONAL, EQUAL):
            raise invalid(f"allocation is {PROPORTIONAL} or {EQUAL}")
        if self.quotas and self.sample_size:
            raise invalid("name quotas or a sample size, not both: quotas say how many films")
        if len(self.quotas) > _MOST_QUOTAS:
            raise invalid(f"name at most {_MOST_QUOTAS} quotas")
        if self.per_patient < 0:
            raise invalid("per_patient is 0 (any number) or how many films of a patient there are at most")
        if not all(films > 0 for films, _ in self.wanted):
            raise invalid("a quota is of at least one film")

    @property
    def wanted(self) -> list[tuple[int, str]]:
        """Quotas as films and filter. Raises INVALID_ARGUMENT."""
        found = []
        for quota in self.quotas:
            films, colon, where = quota.partition(":")
            if not (colon and films.strip().isdecimal() and where.strip()):
                raise invalid("a quota is a number of films and a filter, as in '1000: labels.edema = present'")
            found.append((int(films), where.strip()))
        return found

    def check(self, facts: Facts) -> list[ModelSpec]:
        specs = super().check(facts)
        for _, where in self.wanted:
            filters.check(filters.parse(where), facts)
        there = [one for one in sets.listed(facts, begins=self.name, size=1) if self.name and one.set_id == self.name]
        if there and there[0].about.get("sample") != self.drawn_by:
            raise HilumError(
                ErrorCode.ALREADY_EXISTS,
                "there is a cohort of this name; delete it first (hilum sets delete NAME), or choose another name",
            )
        return specs

    @property
    def drawn_by(self) -> dict[str, object]:
        """All that tells which films are drawn from an archive."""
        asked = self.as_json()
        own: dict[str, object] = asked.pop("sampling")
        return {name: value for name, value in {**asked, **own}.items() if name != "labels"}
