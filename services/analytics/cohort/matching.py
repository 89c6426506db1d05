"""Matched controls: alike in some variables exactly, then as near as can be in others.

No film of a case's patient is a control, a control patient serves once (or as often as the rules say), and a case that
gets none is told with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.cohort import assign
from services.analytics.cohort.assign import Lines, Pairs
from services.analytics.cohort.balance import Sides
from services.analytics.cohort.measure import DISTANCES, MAHALANOBIS, coordinates
from services.analytics.cohort.traits import Number, Trait, known, take
from services.analytics.progress import Progress
from services.core.errors import invalid

LEVEL, LEFT_OUT = MISSING = ("level", "left out")
INCOMPLETE, NONE_LIKE, TOO_FAR, USED_UP = (
    "a variable of the match is unknown",
    "no possible control is the same in the exact variables",
    "no possible control is near enough",
    "all controls that would do serve other cases",
)

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """distance: of DISTANCES.  caliper: the farthest that a control may be, 0 for any: of the propensity in standard
    deviations of its logit, of covariates in that distance's units, where a standard deviation of one covariate is 1.
    ratio: cases to controls. Of 1:2 every case wants two, of 2:3 every second case two and the others one; of 3:1 a
    control patient serves three cases.  replace: it serves any number of them.  missing: unknown is a value like
    others, or films with something unknown are left out."""

    distance: str = MAHALANOBIS
    caliper: float = 0.0
    ratio: tuple[int, int] = (1, 1)
    replace: bool = False
    missing: str = LEVEL

    def __post_init__(self) -> None:
        if self.distance not in DISTANCES:
            raise invalid(f"the distance of a match is {', '.join(DISTANCES)}")
        if self.missing not in MISSING:
            raise invalid(f"films with something unknown are matched as '{LEVEL}', or '{LEFT_OUT}'")
        if not (np.isfinite(self.caliper) and self.caliper >= 0):
            raise invalid("a caliper is 0 (none) or the farthest that a control may be")
        if min(self.ratio) < 1:
            raise invalid("a ratio is of at least one case to at least one control")
        if self.ratio[0] > self.ratio[1] and self.ratio[0] % self.ratio[1]:
            raise invalid("of more cases than controls the ratio is so many to one, as in 3:1")

    @property
    def uses(self) -> int:
        """How many cases a control patient may serve, 0 for any number."""
        return 0 if self.replace else max(1, self.ratio[0] // self.ratio[1])

    def wants(self, cases: int) -> Rows:
        """(cases,) controls of each."""
        if self.ratio[0] > self.ratio[1]:
            return np.ones(cases, np.int64)
        return np.diff(np.arange(cases + 1) * self.ratio[1] // self.ratio[0])


@dataclass(frozen=True)
class Matched:
    """case, control, distance: (M,) rows of the films, the pairs in the order of cases.  unmatched: why → cases.
    short: cases with fewer controls than were wanted, but one.  pool: possible controls.  of_cases_patients,
    incomplete: films that could not be controls, as they are of a case's patient, or with something unknown.
    how: what was done, in words."""

    case: Rows
    control: Rows
    distance: NDArray[np.float64]
    unmatched: dict[str, Rows]
    short: Rows
    pool: Rows
    of_cases_patients: int
    incomplete: int
    how: str

    @property
    def cases(self) -> Rows:
        """Those that are matched."""
        return np.unique(self.case)

    @property
    def controls(self) -> Rows:
        """Those that are matched, each once."""
        return np.unique(self.control)

    def sides(self, case: NDArray[np.bool_]) -> Sides:
        """What `balance` compares. The controls of a case weigh as much as the case, however many they are."""
        films = len(case)
        each = np.bincount(self.case, minlength=films)
        pool, mine, theirs = np.zeros(films), (each > 0).astype(np.float64), np.zeros(films)
        pool[self.pool] = 1.0
        np.add.at(theirs, self.control, 1.0 / each[self.case])
        return Sides(case.astype(np.float64), pool, mine, theirs)


def match(
    case: NDArray[np.bool_],
    pool: NDArray[np.bool_],
    patients: NDArray[np.int32],
    place: NDArray[np.uint64],
    exact: Sequence[Trait],
    covariates: Sequence[Trait],
    rules: Rules,
    progress: Progress,
    within: Sequence[tuple[Number, float]] = (),
) -> Matched:
    """Controls for N films' cases. case, pool: (N,) who is one and who may be a control.  patients: (N,) numbers from
    0.  place: (N,) order of the draw, which decides between controls that are just as near.  within: numbers, each with
    how far apart case and control may be; a film of which one is unknown has nobody near."""
    theirs = np.isin(patients, patients[case])
    able = pool & ~theirs
    complete = np.ones(len(case), bool)
    for one in (*(number for number, _ in within), *(() if rules.missing == LEVEL else (*exact, *covariates))):
        complete &= known(one)
    rows = np.flatnonzero((case | able) & complete)
    mine = case[rows]
    boxes = [number.values[rows] / (far or 1e-9) for number, far in within]
    where = np.column_stack([coordinates([take(c, rows) for c in covariates], mine, rules.distance), *boxes])
    unmatched, pairs, ways = {INCOMPLETE: [np.flatnonzero(case & ~complete)]}, list[Pairs](), dict[str, int]()
    strata = _strata([take(one, rows) for one in exact], len(rows))
    wanted = np.zeros(len(case), np.int64)
    serving = np.zeros(int(patients.max(initial=-1)) + 1, np.int64)
    # Where controls are scarce they are chosen first: a patient may have films of several strata.
    groups = sorted(_groups(strata, mine), key=lambda group: len(group[1]) / len(group[0]))
    for done, (group, controls) in enumerate(groups):
        progress("matching", done, len(groups))
        left = controls[serving[patients[rows[controls]]] == 0] if rules.uses else controls
        if not len(left):
            unmatched.setdefault(USED_UP if len(controls) else NONE_LIKE, []).append(rows[group])
            continue
        cases = group[np.argsort(place[rows[group]], kind="stable")]
        wants = rules.wants(len(cases))
        lines = Lines(where[left], patients[rows[left]], place[rows[left]], rules.caliper or np.inf, len(boxes))
        way, (one_, other, far) = _assign(lines, where[cases], wants, rules.uses)
        ways[way] = ways.get(way, 0) + len(cases)
        wanted[rows[cases]] = wants
        np.add.at(serving, patients[rows[left[other]]], 1)
        pairs.append((rows[cases[one_]], rows[left[other]], far))
        alone = cases[np.setdiff1d(np.arange(len(cases)), one_)]
        reach = np.isfinite(lines.near(where[alone], 1)[0][:, 0])
        unmatched.setdefault(TOO_FAR, []).append(rows[alone[~reach]])
        unmatched.setdefault(USED_UP, []).append(rows[alone[reach]])
    progress("matching", len(groups), len(groups))
    found = [np.concatenate(parts) for parts in zip(*pairs, strict=True)] or [np.empty(0)] * 3
    order = np.lexsort((found[1], found[2], found[0]))
    matched, control = found[0][order].astype(np.int64), found[1][order].astype(np.int64)
    got = np.bincount(matched, minlength=len(case))
    return Matched(
        matched, control, found[2][order].astype(np.float64),
        {why: np.sort(np.concatenate(parts)) for why, parts in unmatched.items() if sum(map(len, parts))},
        np.flatnonzero((got > 0) & (got < wanted)), np.flatnonzero(able & complete),
        int((pool & theirs & ~case).sum()), int((able & ~complete).sum()), _words(ways),
    )  # fmt: skip


def _assign(lines: Lines, at: NDArray[np.float64], wants: Rows, uses: int) -> tuple[str, Pairs]:
    if not uses:
        return "the nearest, with replacement", assign.nearest(lines, at, wants)
    best = assign.optimal(lines, at, wants, uses)
    if best is not None:
        return "optimal", best
    return "greedy, the nearest pairs first", assign.greedy(lines, at, wants, uses)


def _words(ways: dict[str, int]) -> str:
    return "; ".join(f"{way} ({cases:,} cases)" for way, cases in sorted(ways.items())) or "of nobody"


def _strata(exact: Sequence[Trait], films: int) -> NDArray[np.int64]:
    """(N,) number of each film's combination of values, unknown being one."""
    code = np.zeros(films, np.int64)
    for one in exact:
        if isinstance(one, Number):
            own = np.unique(one.values, return_inverse=True)[1]  # all NaN are one value, the last
        else:
            own = one.codes + 1
        code = np.unique(code * (int(own.max(initial=0)) + 1) + own, return_inverse=True)[1]
    return code


def _groups(strata: NDArray[np.int64], mine: NDArray[np.bool_]) -> list[tuple[Rows, Rows]]:
    """Cases and possible controls of each stratum that has cases."""
    order = np.argsort(strata, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(strata[order])) + 1)
    return [(part[mine[part]], part[~mine[part]]) for part in parts if mine[part].any()]
