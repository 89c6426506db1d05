"""What is asked of a search for outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import Asked
from services.core.errors import HilumError, invalid
from services.core.facts import Facts
from services.core.filters import check, parse
from services.core.models import ModelSpec

MAX_TOP = 2000
MAX_TREES = 1000
_SHARE, _LEAST = 50, 10


@dataclass(frozen=True, kw_only=True)
class OutliersAsked(Asked):
    """top: so many films count as outliers, 0 for 1 in 50 and at least 10.  region: a filter of films to understand,
    found or not.  same: cosine distance below which films are nearly the same, 0 for a bound taken from each model's
    own distances.  trees: of the isolation forest."""

    kind: ClassVar[str] = "outliers"

    top: int = 0
    region: str = ""
    same: float = 0.0
    trees: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.top <= MAX_TOP:
            raise invalid(f"top is how many films count as outliers, at most {MAX_TOP} (0: 1 in {_SHARE})")
        if not 0 <= self.same < 1:
            raise invalid("same is a cosine distance from 0 (taken from the model's own distances) to below 1")
        if not 10 <= self.trees <= MAX_TREES:
            raise invalid(f"trees is between 10 and {MAX_TREES}")

    def check(self, facts: Facts) -> list[ModelSpec]:
        """As every analysis; the region must be a filter that can be read. Raises INVALID_FILTER too."""
        try:
            check(parse(self.region), facts)
        except HilumError as error:
            raise HilumError(error.code, f"region: {error.client_message}") from None
        return super().check(facts)

    def flagged(self, films: int) -> int:
        """How many of so many films count as outliers."""
        return min(self.top or max(films // _SHARE, _LEAST), films // 2)
