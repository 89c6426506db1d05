"""Parts of a cohort (training, validation, test) that share no patient and no film that is nearly the same.

What belongs together (`links.components`) is dealt out whole, the largest first, each to the part that then comes
nearest to what it should have of every value of the variables, and of films in all (greedy, as iterative stratification
does: Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011). scikit-learn's StratifiedGroupKFold knows one variable and
parts of one size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics.cohort.links import Codes
from services.analytics.progress import Progress
from services.analytics.variables import Variable
from services.core.errors import ErrorCode, HilumError

TOLERANCE = 0.01  # of a part's share of the films, or what the largest group makes inevitable
_EVERY = 4096  # groups between reports


@dataclass(frozen=True)
class Stratum:
    """A value of a variable. films: (S,) in each part."""

    variable: str
    value: str
    films: NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """part: (N,) position in `names`.  fractions: (S,) wanted.  groups: how many sets of films that belong together;
    largest: films of the largest."""

    names: list[str]
    fractions: NDArray[np.float64]
    part: NDArray[np.int8]
    groups: int
    largest: int
    strata: list[Stratum]

    @property
    def films(self) -> NDArray[np.int64]:
        """(S,) of each part."""
        return np.bincount(self.part, minlength=len(self.names))

    @property
    def off(self) -> float:
        """How far a part's share is from the one wanted, at most."""
        return float(np.abs(self.films / max(len(self.part), 1) - self.fractions).max())

    def as_json(self) -> dict[str, Any]:
        """The figures, as plain JSON."""
        films = dict(zip(self.names, self.films.tolist(), strict=True))
        return {"films": films, "off": self.off, "groups": self.groups, "largest": self.largest}


def split(
    group: Codes,
    place: NDArray[np.uint64],
    fractions: Mapping[str, float],
    strata: Sequence[Variable],
    progress: Progress,
    tolerance: float = TOLERANCE,
) -> Split:
    """Deal N films out. group: (N,) numbers from 0 of what belongs together.  place: (N,) order of the draw, which
    decides between groups of one size.

    Raises FAILED_PRECONDITION where shares are missed by more than `tolerance`, and by more than one group's films or
    for a group that is larger than any part.
    """
    names, share = list(fractions), np.array(list(fractions.values()), np.float64)
    share = share / share.sum()
    sizes = np.bincount(group) if len(group) else np.empty(0, np.int64)
    if len(sizes) < np.count_nonzero(share):
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"{len(sizes)} groups of films that belong together cannot make {np.count_nonzero(share)} parts",
        )
    first = np.full(len(sizes), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(first, group, place)
    column, totals = _columns(strata, len(group))
    part = _deal(group, np.lexsort((first, -sizes)), column, totals, share, progress)
    told = [
        Stratum(one.name, value, np.bincount(part[codes == code], minlength=len(names)))
        for one in strata
        for codes in [np.where(one.codes < 0, len(one.values), one.codes)]
        for code, value in enumerate([*one.values, "unknown"])
        if (codes == code).any()
    ]
    found = Split(names, share, part, len(sizes), int(sizes.max(initial=0)), told)
    coarse = found.largest / len(part)
    if found.off > max(tolerance, coarse if coarse <= share.max() else 0.0):
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"parts miss their shares by {found.off:.1%}: the largest group of films that belong together holds "
            f"{found.largest:,} of {len(part):,}; ask for other fractions, or fewer strata",
        )
    return found


def _columns(strata: Sequence[Variable], films: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N, 1 + variables) which counters each film is counted by, the first counting all; and the counters' totals."""
    columns, base = [np.zeros(films, np.int64)], 1
    for one in strata:
        columns.append(base + np.where(one.codes < 0, len(one.values), one.codes))
        base += len(one.values) + 1
    found = np.stack(columns, axis=1)
    return found, np.bincount(found.ravel(), minlength=base)


def _deal(
    group: Codes,
    order: NDArray[np.int64],
    column: NDArray[np.int64],
    totals: NDArray[np.int64],
    share: NDArray[np.float64],
    progress: Progress,
) -> NDArray[np.int8]:
    """(N,) the part of each film. A part's cost is Σ (has − should)² / should over the counters that a group moves."""
    width = len(totals)
    key, count = np.unique((group[:, None] * width + column).ravel(), return_counts=True)
    begin = np.searchsorted(key // width, np.arange(int(group.max()) + 2)).tolist()
    counter, films = (key % width).tolist(), count.tolist()
    # Of the films in all a part is to have its share above all; of rare values, what the others leave.
    weight = [float(column.shape[1]), *[1.0] * (width - 1)]
    live = [place for place, much in enumerate(share) if much > 0]
    lacks = [(share[place] * totals).tolist() for place in range(len(share))]
    worth = [[w / max(have, 1e-9) for w, have in zip(weight, lack, strict=True)] for lack in lacks]
    chosen = np.zeros(int(group.max()) + 1, np.int8)
    for done, one in enumerate(order.tolist()):
        if done % _EVERY == 0:
            progress("splitting", done, len(order))
        mine = range(begin[one], begin[one + 1])
        best = min(
            live,
            key=lambda part: sum(
                films[at] * (films[at] - 2 * lacks[part][counter[at]]) * worth[part][counter[at]] for at in mine
            ),
        )
        chosen[one] = best
        for at in mine:
            lacks[best][counter[at]] -= films[at]
    progress("splitting", len(order), max(len(order), 1))
    return chosen[group]
