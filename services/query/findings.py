"""Films by finding and state, from how many films say the same (`core.facts.profiles`) instead of from every label."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, select

from services.core.facts.profiles import read
from services.core.facts.schema import profiles
from services.core.labels import Label, LabelState, merge, source_key

_ORDER = {state.value: place for place, state in enumerate(LabelState)}
_LABELS = "labels."
_MOST = 5_000_000  # statements kept in memory: 20 MB
_CHUNK = 500
_WHOLE = 20_000  # so many numbers at once: the table is read as a whole
Said = tuple[str, str]  # labels.<finding> or labels.<finding>.<source>, and a state


@dataclass(frozen=True, slots=True)
class Counted:
    """Films by statement."""

    films: dict[Said, int]
    total: int

    def of(self, name: str) -> dict[str, int]:
        """State → films of ``labels.<finding>`` or ``labels.<finding>.<source>``, ``unknown`` the rest."""
        counts = {state: self.films[name, state] for state in _ORDER if self.films.get((name, state))}
        silent = self.total - sum(counts.values())
        return counts | ({LabelState.UNKNOWN.value: silent} if silent else {})

    def findings(self) -> list[tuple[str, dict[str, int]]]:
        """Every finding, over all sources, the one that most films have first."""
        names = {name for name, _ in self.films if name.count(".") == 1}
        found = {name: self.of(name) for name in names}
        return sorted(found.items(), key=lambda item: (-item[1].get(LabelState.PRESENT.value, 0), item[0]))


class Findings:
    """Remembers what the numbers stand for: one number means the same for ever. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()

    def count(self, db: Connection, films: Mapping[int, int], total: int) -> Counted:
        """films: profile → how many have it; `total` in all."""
        asked, weights = (np.fromiter(part, np.int64, len(films)) for part in (films.keys(), films.values()))
        asked, weights = asked[asked != 0], weights[asked != 0]
        with self._lock:
            place = self._learned(db, asked)
            starts, lengths, codes, names = self._starts[place], self._lengths[place], self._codes, list(self._names)
        spread = np.repeat(weights, lengths)
        sums = np.bincount(codes[_ranges(starts, lengths)], weights=spread, minlength=len(names))
        return Counted({name: int(count) for name, count in zip(names, sums, strict=True) if count}, total)

    def _forget(self) -> None:
        self._numbers = np.empty(0, np.int64)  # in order
        self._starts, self._lengths = np.empty(0, np.int64), np.empty(0, np.int64)  # of their statements
        self._codes = np.empty(0, np.int32)
        self._names: dict[Said, int] = {}  # statement → its code

    def _learned(self, db: Connection, asked: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the numbers `asked` stand in `_numbers`."""
        missing = np.setdiff1d(asked, self._numbers, assume_unique=True)
        if len(missing) and len(self._codes) > _MOST:
            self._forget()
            missing = asked
        if len(missing):
            known = set(self._numbers.tolist())
            rows = [(number, self._coded(said)) for number, said in _said(db, missing) if number not in known]
            lengths = np.array([len(codes) for _, codes in rows], np.int64)
            starts = len(self._codes) + np.cumsum(lengths) - lengths
            numbers = np.concatenate([self._numbers, np.array([number for number, _ in rows], np.int64)])
            order = np.argsort(numbers)
            self._numbers = numbers[order]
            self._starts = np.concatenate([self._starts, starts])[order]
            self._lengths = np.concatenate([self._lengths, lengths])[order]
            self._codes = np.concatenate([self._codes, np.array([c for _, codes in rows for c in codes], np.int32)])
        return np.searchsorted(self._numbers, asked)

    def _coded(self, said: str) -> list[int]:
        by_source: dict[str, list[Label]] = {}
        for finding, source, state in read(said):
            by_source.setdefault(source_key(source), []).append(Label(finding, LabelState(state), source))
        everything = [label for stated in by_source.values() for label in stated]
        named = [(f"{_LABELS}{name}", state) for name, state in merge(everything).items()]
        for source, stated in by_source.items():
            named += [(f"{_LABELS}{name}.{source}", state) for name, state in merge(stated).items()]
        return [self._names.setdefault((name, state.value), len(self._names)) for name, state in named]


def _said(db: Connection, numbers: NDArray[np.int64]) -> list[Row[tuple[int, str]]]:
    query = select(profiles.c.profile, profiles.c.said)
    if len(numbers) > _WHOLE:
        return list(db.execute(query))
    parts = (numbers[start : start + _CHUNK].tolist() for start in range(0, len(numbers), _CHUNK))
    return [row for part in parts for row in db.execute(query.where(profiles.c.profile.in_(part)))]


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """All indices of several ranges, one after another."""
    before = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
