"""Clinical variables as numbers that can stand beside one another.

Numbers are scaled to mean 0 and variance 1; a category has a column for each value, less its share, over the root of
its share, as in factor analysis of mixed data (Pagès 2004). What is unknown takes the median, or no value at all of a
category, and a column of its own says that it was unknown: it never becomes a zero that was not measured. All of it is
learned from the patients given, so that a fold can learn it from others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics.clinical.join import Column

MIN_PATIENTS = 5  # who have a value, or whose value is unknown, for a column of its own
MOST_VALUES = 8

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Part:
    """A column of the table that is made: of variable `column` (its place), with its `value` where it is a category's,
    or saying that it is `missing`. Then (x − centre) / scale; what is unknown takes `fill`."""

    column: int
    name: str
    centre: float
    scale: float
    fill: float = 0.0
    value: str | None = None
    missing: bool = False


@dataclass(frozen=True)
class Coding:
    """How P patients' variables become (P, F) numbers."""

    parts: list[_Part]

    @classmethod
    def learn(cls, columns: Sequence[Column], rows: NDArray[np.int64] | None = None) -> Coding:
        """From all patients, or those of `rows`. A variable that is the same for everybody there has no part."""
        parts: list[_Part] = []
        for place, column in enumerate(columns):
            seen = column if rows is None else column.take(rows)
            parts += _number(place, seen) if seen.number else _words(place, seen)
            unknown = int((~seen.known).sum())
            if MIN_PATIENTS <= unknown <= len(seen.known) - MIN_PATIENTS:
                share = unknown / len(seen.known)
                parts.append(_Part(place, f"{column.name} unknown", share, share**0.5, missing=True))
        return cls(parts)

    @property
    def names(self) -> list[str]:
        return [part.name for part in self.parts]

    def __call__(self, columns: Sequence[Column]) -> Numbers:
        """(P, F), whole: nothing is NaN."""
        return self._made(columns)[0]

    def seen(self, columns: Sequence[Column]) -> NDArray[np.bool_]:
        """(P, F): which of them were measured, and are no fill."""
        return self._made(columns)[1]

    def _made(self, columns: Sequence[Column]) -> tuple[Numbers, NDArray[np.bool_]]:
        size = len(columns[0].values)
        found, seen = np.zeros((size, len(self.parts))), np.ones((size, len(self.parts)), dtype=bool)
        for place, part in enumerate(self.parts):
            column, known = columns[part.column], columns[part.column].known
            if part.missing:
                raw: NDArray[Any] = (~known).astype(np.float64)
            elif part.value is not None:
                raw = np.array([value == part.value for value in column.values], dtype=np.float64)
                raw[~known], seen[:, place] = part.centre, known  # of no value more than of another
            else:
                raw, seen[:, place] = np.where(known, column.values, part.fill).astype(np.float64), known
            found[:, place] = (raw - part.centre) / part.scale
        return found, seen


def _number(place: int, column: Column) -> list[_Part]:
    there = column.values[column.known]
    spread = float(there.std()) if len(there) >= 2 else 0.0
    if not spread > 1e-9 * max(1.0, abs(float(there.mean())) if len(there) else 1.0):
        return []
    return [_Part(place, column.name, float(there.mean()), spread, float(np.median(there)))]


def _words(place: int, column: Column) -> list[_Part]:
    there = Counter(column.values[column.known].tolist())
    total = sum(there.values())
    kept = [(w, n) for w, n in there.most_common(MOST_VALUES) if MIN_PATIENTS <= n <= total - MIN_PATIENTS]
    if len(there) == 2 and len(kept) == 2:  # one says what the other says
        kept = kept[1:]
    return [_Part(place, f"{column.name} = {w}", n / total, (n / total) ** 0.5, value=str(w)) for w, n in kept]
