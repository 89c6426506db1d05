"""What is asked of an evaluation of retrieval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import Asked
from services.core.errors import invalid

RELEVANCE = ("findings", "view", "patient", "marks")
MAX_DEPTH, MAX_DEPTHS, MAX_QUERIES = 1000, 10, 100_000


@dataclass(frozen=True, kw_only=True)
class RetrievalAsked(Asked):
    """depths: k of nDCG@k and the others.  queries: at most so many films ask.  relevance: what is relevant to a film:
    those that share its findings or its view among other patients' films, its own patient's others, or those that
    people marked so in saved searches.
    fuse: also all models together.  correct: also with hubs corrected."""

    kind: ClassVar[str] = "retrieval"

    depths: tuple[int, ...] = (1, 5, 10)
    queries: int = 1000
    relevance: str = "findings"
    fuse: bool = False
    correct: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "depths", tuple(sorted(set(self.depths))))
        if len(self.depths) > MAX_DEPTHS or not all(1 <= depth <= MAX_DEPTH for depth in self.depths):
            raise invalid(f"name at most {MAX_DEPTHS} depths, each between 1 and {MAX_DEPTH}")
        if not 1 <= self.queries <= MAX_QUERIES:
            raise invalid(f"queries is between 1 and {MAX_QUERIES}")
        if self.relevance not in RELEVANCE:
            raise invalid(f"relevance is one of {', '.join(RELEVANCE)}")
        if self.fuse and len(self.models) < 2:
            raise invalid("fusing takes two models or more")
