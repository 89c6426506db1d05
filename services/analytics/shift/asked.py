"""What is asked of shift and shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from services.analytics.asked import Asked
from services.core import filters
from services.core.errors import invalid
from services.core.facts import Facts
from services.core.models import ModelSpec

AXES = ("dataset", "institution", "manufacturer", "device", "view", "sex", "age", "race")
WHERE_FROM = ("dataset", "institution", "manufacturer", "device")  # of the place and the machine, not of the patient
NOTHING = "none"


@dataclass(frozen=True, kw_only=True)
class ShiftAsked(Asked):
    """axes: to read; empty for all that are known.  a, b: two filters whose films are held against each other.
    remove: the axis to take out; empty for that of WHERE_FROM best read, NOTHING for none.  permutations: of the
    tests.  folds: patient-disjoint."""

    kind: ClassVar[str] = "shift"

    axes: tuple[str, ...] = ()
    a: str = ""
    b: str = ""
    remove: str = ""
    permutations: int = 999
    folds: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(self.axes) <= set(AXES):
            raise invalid(f"axes are {', '.join(AXES)}")
        if self.remove not in ("", NOTHING, *AXES):
            raise invalid(f"what is removed is one of {', '.join(AXES)}, or {NOTHING}")
        if bool(self.a) != bool(self.b):
            raise invalid("name two filters, a and b, to hold films against each other")
        if not 99 <= self.permutations <= 99_999:
            raise invalid("permutations is between 99, the least that can tell at 1 %, and 99,999")
        if not 2 <= self.folds <= 20:
            raise invalid("folds is between 2 and 20")

    def check(self, facts: Facts) -> list[ModelSpec]:
        """As of every analysis, and of both filters."""
        for where in (self.a, self.b):
            filters.check(filters.parse(where), facts)
        return super().check(facts)

    @property
    def read(self) -> Sequence[Any]:
        """The axes to read."""
        return self.axes or AXES
