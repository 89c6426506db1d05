"""Along what films may lie: where they come from, how they were taken, and of whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.shift.asked import AXES
from services.core.types import ImageRecord

UNKNOWN = -1
MAX_VALUES = 12  # of an axis, those of most patients
AGE_BANDS = (0, 20, 40, 60, 80)
TITLES = {"institution": "site", "age": "age band"}


@dataclass(frozen=True)
class Axis:
    """name: of AXES.  values: in the order of their codes.  codes: (N,) int32, −1 unknown or too rare.  rare: films of
    values that too few patients have."""

    name: str
    values: list[str]
    codes: NDArray[np.int32]
    rare: int

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The films whose value is known."""
        return np.flatnonzero(self.codes >= 0)


def collect(
    records: Sequence[ImageRecord], patients: NDArray[np.int32], names: Sequence[str], least: int
) -> list[Axis]:
    """The axes with two values or more of `least` patients each."""
    found = [make(name, [_value(r, name) for r in records], patients, least) for name in AXES if name in names]
    return [axis for axis in found if len(axis.values) > 1]


def make(name: str, words: Sequence[str | None], patients: NDArray[np.int32], least: int) -> Axis:
    """An axis of (N,) words, blank unknown."""
    known = np.array([word or "" for word in words], dtype=object)
    people = {word: len(np.unique(patients[known == word])) for word in sorted(set(known.tolist()) - {""})}
    kept = sorted(sorted(people, key=lambda word: -people[word])[:MAX_VALUES])
    kept = [word for word in kept if people[word] >= least]
    code = {word: number for number, word in enumerate(kept)}
    codes = np.array([code.get(word, UNKNOWN) for word in known], dtype=np.int32)
    return Axis(name, kept, codes, int(((codes < 0) & (known != "")).sum()))


def one_each(rows: NDArray[np.int64], patients: NDArray[np.int32], seed: int) -> NDArray[np.int64]:
    """One film of each patient, drawn by the seed: films that are independent, for tests that need them so."""
    mixed = np.random.default_rng(seed).permutation(rows)
    _, first = np.unique(patients[mixed], return_index=True)
    return np.sort(mixed[first])


def _value(record: ImageRecord, name: str) -> str | None:
    if name == "age":
        if record.age is None:
            return None
        low = max((band for band in AGE_BANDS if band <= record.age), default=0)
        return f"{low}–{low + 19}" if low < AGE_BANDS[-1] else f"{low} and over"
    found: str | None = getattr(record, name)
    return found
