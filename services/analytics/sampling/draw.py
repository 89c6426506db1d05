"""Draw films by strata: so many of each, patients capped, in the order of a hash of seed and film.

A film's place in the draw is its own, so that the same archive gives the same sample on every machine, and most of a
sample stays when the archive grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from services.analytics.sampling.asked import EQUAL
from services.analytics.variables import Variable


@dataclass(frozen=True)
class Stratum:
    """archive: films there are to draw from.  wanted: by the allocation, before patients were capped.  drawn: films,
    of so many patients.  weight: films of the archive that each drawn film stands for."""

    name: str
    archive: int
    wanted: int
    drawn: int
    patients: int

    @property
    def weight(self) -> float:
        return self.archive / self.drawn if self.drawn else float("nan")


@dataclass(frozen=True)
class Drawn:
    """rows: (n,) of the archive, in their order.  stratum: (n,) position in `strata`."""

    rows: NDArray[np.int64]
    stratum: NDArray[np.int32]
    strata: list[Stratum]


def allocate(available: NDArray[np.int64], size: int, how: str) -> NDArray[np.int64]:
    """(S,) films of each stratum, `size` in all as far as there are so many.

    Proportional: shares of what there is, by largest remainders. Equal: as even as what there is allows. Ties go to
    strata in their order.
    """
    size = min(size, int(available.sum()))
    if how == EQUAL:
        level = np.zeros(len(available), np.int64)
        left = size
        while left and (open_ := np.flatnonzero(level < available)).size:
            each = left // open_.size
            if each:
                more = np.minimum(each, (available - level)[open_])
            else:
                more = (np.arange(open_.size) < left).astype(np.int64)
            level[open_] += more
            left -= int(more.sum())
        return level
    exact = size * available / max(int(available.sum()), 1)
    found = np.floor(exact).astype(np.int64)
    remainder = np.argsort(-(exact - found), kind="stable")[: size - int(found.sum())]
    found[remainder] += 1
    return found


@dataclass
class Draw:
    """One draw from N films. place: (N,) their order.  patients: (N,).  cap: films of a patient, 0 for any number."""

    place: NDArray[np.uint64]
    patients: NDArray[np.int32]
    cap: int
    _rows: list[NDArray[np.int64]] = field(default_factory=list)
    _stratum: list[NDArray[np.int32]] = field(default_factory=list)
    _strata: list[Stratum] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._used = np.zeros(int(self.patients.max(initial=-1)) + 1, np.int64)

    def take(self, strata: Variable, members: NDArray[np.bool_], size: int, how: str, prefix: str = "") -> None:
        """Draw `size` of the films that are `members`, by `strata`; those with least to choose from choose first, and
        what a stratum lacks for its patients' caps is drawn from the others."""
        inside = np.flatnonzero(members)
        inside = inside[np.argsort(self.place[inside], kind="stable")]
        groups = np.argsort(strata.codes[inside], kind="stable")
        codes = strata.codes[inside][groups]
        bounds = np.searchsorted(codes, np.arange(len(strata.values) + 1))
        left = [inside[groups[a:b]] for a, b in pairwise(bounds)]
        archive = np.array([len(rows) for rows in left])
        wanted = first = allocate(archive, size, how)
        taken: list[list[NDArray[np.int64]]] = [[] for _ in left]
        while wanted.any():
            with np.errstate(divide="ignore", invalid="ignore"):
                plenty = np.floor(np.log2(archive / wanted))  # about as much is as much: a sample then stays as it was
                order = np.argsort(np.where(wanted > 0, plenty, np.inf), kind="stable")
            for stratum in order[: np.count_nonzero(wanted)]:
                mine = self._free(left[stratum])[: wanted[stratum]]
                np.add.at(self._used, self.patients[mine], 1)
                taken[stratum].append(mine)
                left[stratum] = left[stratum][~np.isin(left[stratum], mine)]
            lacking = int(first.sum()) - sum(len(rows) for parts in taken for rows in parts)
            spare = np.array([len(self._free(rows)) for rows in left]) if lacking else np.zeros(len(left), np.int64)
            wanted = allocate(spare, lacking, how)
        for stratum, parts in enumerate(taken):
            if not archive[stratum]:
                continue
            rows = np.concatenate(parts) if parts else np.empty(0, np.int64)
            self._rows.append(rows)
            self._stratum.append(np.full(len(rows), len(self._strata), np.int32))
            people = len(np.unique(self.patients[rows]))
            name = ", ".join(part for part in (prefix, strata.values[stratum]) if part)
            self._strata.append(Stratum(name, int(archive[stratum]), int(first[stratum]), len(rows), people))

    def _free(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of `rows`, in their order, that leave no patient with more films than the cap."""
        if not self.cap:
            return rows
        who = self.patients[rows]
        order = np.argsort(who, kind="stable")
        begins = np.flatnonzero(np.diff(who[order], prepend=-1))
        nth = np.empty(len(rows), np.int64)
        nth[order] = np.arange(len(rows)) - np.repeat(begins, np.diff(begins, append=len(rows)))
        return rows[nth + self._used[who] < self.cap]

    def done(self) -> Drawn:
        """All that was taken."""
        rows = np.concatenate([*self._rows, np.empty(0, np.int64)])
        stratum = np.concatenate([*self._stratum, np.empty(0, np.int32)])
        order = np.argsort(rows, kind="stable")
        return Drawn(rows[order], stratum[order], self._strata)
