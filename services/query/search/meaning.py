"""What scores mean: P(shares the finding | score), fitted on labelled films of other patients."""

from __future__ import annotations

from collections.abc import Sequence

from services.core.facts import Facts
from services.core.models import ModelSpec
from services.core.types import ImageRecord
from services.query.asked import Hit, SearchQuery


class Meanings:
    """Reads calibrations."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def of(self, specs: Sequence[ModelSpec], query: SearchQuery, own: Sequence[ImageRecord]) -> dict[str, object]:
        return {}

    def said(self, hits: list[Hit], meanings: dict[str, object], query: SearchQuery) -> tuple[list[Hit], bool]:
        return hits, False
