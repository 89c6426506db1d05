"""What is asked of a comparison of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import MAX_MODELS
from services.analytics.map.asked import MapAsked
from services.core.errors import invalid

MIN_APART, MAX_APART = 20, 2000
MAX_SHUFFLES = 99_999
MAX_SHOWN = 24


@dataclass(frozen=True, kw_only=True)
class CompareAsked(MapAsked):
    """resolutions: of Leiden's clusters, the first of which is compared.  apart: one film each of so many patients,
    between all of which distances are compared.  shuffles: of the permutation test.  shown: films of each pair of
    models on which they part most."""

    kind: ClassVar[str] = "compare"

    apart: int = 600
    shuffles: int = 999
    shown: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.models) < 2:
            raise invalid(f"comparing takes between 2 and {MAX_MODELS} models; name them")
        if not MIN_APART <= self.apart <= MAX_APART:
            raise invalid(f"apart is how many patients distances are compared of, {MIN_APART} to {MAX_APART}")
        if not 19 <= self.shuffles <= MAX_SHUFFLES:
            raise invalid(f"shuffles is between 19, the least that can tell at 5 %, and {MAX_SHUFFLES}")
        if not 1 <= self.shown <= MAX_SHOWN:
            raise invalid(f"shown is how many films to show of each pair, between 1 and {MAX_SHOWN}")
