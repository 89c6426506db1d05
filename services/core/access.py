"""Whose films somebody may see: a rule on rows that every answer about films obeys.

    expr = all_of(parse(text), access.condition())

It is part of the filter itself, so nothing outside it is ranked, counted or told of, and provenance shows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.core.filters import Expr, not_, one_of, present
from services.core.types import ImageRecord


@dataclass(frozen=True, slots=True)
class Access:
    """The datasets whose films may be seen; None: all."""

    datasets: frozenset[str] | None = None

    @classmethod
    def named(cls, datasets: Iterable[str]) -> Access:
        """These datasets; all of them where none is named."""
        return cls(frozenset(datasets) or None)

    def condition(self) -> Expr | None:
        """What every film must fulfil; None where all may be seen. No dataset at all selects nothing."""
        if self.datasets is None:
            return None
        return one_of("dataset", sorted(self.datasets)) if self.datasets else not_(present("dataset"))

    def allows(self, record: ImageRecord) -> bool:
        """May this film be seen? Where not, it is answered as if there were none."""
        return self.sees(record.dataset)

    def sees(self, dataset: str) -> bool:
        return self.datasets is None or dataset in self.datasets

    def within(self, other: Access) -> Access:
        """What both allow."""
        if self.datasets is None or other.datasets is None:
            return Access(self.datasets if other.datasets is None else other.datasets)
        return Access(self.datasets & other.datasets)


ALL = Access()
