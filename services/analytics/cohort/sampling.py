"""A sample of a cohort: at random, by strata, by quotas, or so that its shares are those that are wanted.

A target of shares is met exactly, but for whole numbers: where films are too few for the size, the sample is as large
as the shares allow. Of several targets the shares of all combinations are those nearest to the films there are: raking
in which no combination can give more than it has (Deville and Särndal, J Am Stat Assoc 1992; 87:376, logit method with
bounds 0 and 1), which is iterative proportional fitting where films are plenty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array
from scipy.special import expit

from services.analytics.sampling.asked import PROPORTIONAL
from services.analytics.sampling.draw import Draw, Drawn
from services.analytics.sampling.represent import divergence
from services.analytics.variables import Variable
from services.core.errors import ErrorCode, HilumError, invalid

UNKNOWN, OTHERS = "unknown", "not wanted"
_MOST_CELLS = 10_000
_SWEEPS, _HALVINGS = 200, 60

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Urn:
    """N films (or patients, or studies) to draw from. place: (N,) their order in the draw (`sample.places`).  patients:
    (N,) numbers from 0.  members: (N,) who may be drawn.  cap: at most so many of a patient, 0 for any number."""

    place: NDArray[np.uint64]
    patients: NDArray[np.int32]
    members: NDArray[np.bool_]
    cap: int = 0

    @property
    def draw(self) -> Draw:
        return Draw(self.place, self.patients, self.cap)


@dataclass(frozen=True)
class Target:
    """Shares of the values of variables, of several together: {("F", "18 to below 40"): 0.2, …}. They add up to 1;
    "unknown" is a value; what is not named is not wanted."""

    variables: tuple[str, ...]
    shares: Mapping[tuple[str, ...], float]

    @property
    def name(self) -> str:
        return " × ".join(self.variables)


@dataclass(frozen=True)
class Reached:
    """One target. values: V of them, `OTHERS` last; target, before, after: (V,) shares wanted, of all that could be
    drawn, and of those drawn."""

    name: str
    values: list[str]
    target: Counts
    before: Counts
    after: Counts

    @property
    def distances(self) -> tuple[float, float]:
        """Jensen-Shannon distance from the target, before and after: 0 the same, 1 nothing in common."""
        before, after = (float(np.sqrt(divergence(self.target, shares))) for shares in (self.before, self.after))
        return before, after


@dataclass(frozen=True)
class Met:
    """asked: how many were, 0 for as many as there can be.  possible: the most that have just these shares.  lacking:
    the share of a target of which there is nothing to draw."""

    drawn: Drawn
    asked: int
    possible: int
    reached: list[Reached]
    lacking: float


def plain(urn: Urn, size: int) -> Drawn:
    """`size` of the members at random."""
    return stratified(urn, Variable("", ["all"], np.zeros(len(urn.place), np.int32)), size, PROPORTIONAL)


def stratified(urn: Urn, strata: Variable, size: int, how: str) -> Drawn:
    """As many of each stratum as its share, or of all alike. strata: without unknown, as `variables.crossed` makes."""
    made = urn.draw
    made.take(strata, urn.members, size, how)
    return made.done()


def quotas(urn: Urn, wanted: Sequence[tuple[str, NDArray[np.bool_], int]]) -> Drawn:
    """So many of those that pass: name, (N,) who passes, how many; each is of the first that it passes."""
    made, free = urn.draw, urn.members.copy()
    one = Variable("", [""], np.zeros(len(free), np.int32))
    for name, passing, size in wanted:
        made.take(one, free & passing, size, PROPORTIONAL, name)
        free &= ~passing
    return made.done()


def shares_of(variables: Sequence[Variable], members: NDArray[np.bool_]) -> Target:
    """The target that these films are: what `like` means."""
    cells, _, count = _cells(variables, members)
    if not len(cells):
        raise _nothing("no film gives the shares that are wanted; widen the filter that says like what")
    return Target(tuple(one.name for one in variables), dict(zip(cells, (count / count.sum()).tolist(), strict=True)))


def to_target(
    urn: Urn, variables: Mapping[str, Variable], targets: Sequence[Target], size: int, strict: bool = True
) -> Met:
    """`size` members with the shares of every target, or as many as there can be (and where size is 0). strict: every
    share must have something to draw from; else those that have keep their proportions.

    Raises INVALID_ARGUMENT for shares that are none, FAILED_PRECONDITION where nothing has these shares.
    """
    names = list(dict.fromkeys(name for one in targets for name in one.variables))
    cells, cell_of, held = _cells([variables[name] for name in names], urn.members)
    groups = [_groups(one, names, cells) for one in targets]
    told = [_shares(one) for one in targets]
    wanted, most = [], 0.0
    room = _room(urn, cell_of, len(cells))
    room[np.any([codes < 0 for codes, _ in groups], axis=0)] = 0
    for one, (codes, keys), share in zip(targets, groups, told, strict=True):
        has = np.bincount(codes[codes >= 0], weights=room[codes >= 0], minlength=len(keys)) > 0
        lacking = [", ".join(key) for key, there, much in zip(keys, has, share, strict=True) if much and not there]
        if lacking and (strict or not share[has].sum()):
            raise _nothing(f"nothing to draw from is {lacking[0]!r} in {one.name}, of which a share is wanted")
        most = max(most, float(share[~has].sum()))
        wanted.append(np.where(has, share, 0.0) / share[has].sum())
    margins = [codes for codes, _ in groups]
    possible = _possible(room, margins, wanted)
    films = min(size, possible) if size else possible
    if not films:
        raise _nothing("no sample has all of these shares; ask for fewer targets, or widen the criteria")
    whole = _whole(_rake(room, margins, wanted, films), room, margins, wanted, films)
    drawn = _draw(urn, cells, cell_of, whole)
    mine = np.bincount(cell_of[drawn.rows], minlength=len(cells)).astype(np.float64)
    reached = [
        Reached(one.name, [*(", ".join(key) for key in keys), OTHERS], np.append(share, 0.0),
                _margin(held, codes, len(keys)), _margin(mine, codes, len(keys)))
        for one, (codes, keys), share in zip(targets, groups, told, strict=True)
    ]  # fmt: skip
    return Met(drawn, size, possible, reached, most)


def _cells(
    variables: Sequence[Variable], members: NDArray[np.bool_]
) -> tuple[list[tuple[str, ...]], NDArray[np.int64], Counts]:
    """Combinations of values that some member has, (N,) which each has (−1: no member), and how many have it."""
    code = np.zeros(int(members.sum()), np.int64)
    for one in variables:
        own = one.codes[members]
        code = code * (len(one.values) + 1) + np.where(own < 0, len(one.values), own)
    kinds, mine = np.unique(code, return_inverse=True)
    if len(kinds) > _MOST_CELLS:
        raise _nothing(f"that makes {len(kinds):,} combinations of values; name fewer variables")
    cells = []
    for number in kinds.tolist():
        told, rest = [], number
        for one in reversed(variables):
            rest, value = divmod(rest, len(one.values) + 1)
            told.append([*one.values, UNKNOWN][value])
        cells.append(tuple(reversed(told)))
    cell_of = np.full(len(members), -1, np.int64)
    cell_of[members] = mine
    return cells, cell_of, np.bincount(mine, minlength=len(kinds)).astype(np.float64)


def _groups(
    target: Target, names: list[str], cells: list[tuple[str, ...]]
) -> tuple[NDArray[np.int64], list[tuple[str, ...]]]:
    """(cells,) which of a target's keys each cell has, −1 for none; and the keys."""
    keys = list(target.shares)
    number = {key: place for place, key in enumerate(keys)}
    at = [names.index(name) for name in target.variables]
    return np.array([number.get(tuple(cell[place] for place in at), -1) for cell in cells], np.int64), keys


def _shares(target: Target) -> Counts:
    found = np.array(list(target.shares.values()), np.float64)
    if not len(found) or not np.isfinite(found).all() or (found < 0).any() or abs(found.sum() - 1) > 1e-6:
        raise invalid(f"the shares of {target.name} are numbers from 0 to 1 that add up to 1")
    return found / found.sum()


def _room(urn: Urn, cell_of: NDArray[np.int64], cells: int) -> Counts:
    """(cells,) how many can be drawn of each, by the cap of patients."""
    rows = np.flatnonzero(cell_of >= 0)
    if not urn.cap:
        return np.bincount(cell_of[rows], minlength=cells).astype(np.float64)
    pairs, films = np.unique(
        cell_of[rows] * (int(urn.patients.max(initial=0)) + 1) + urn.patients[rows], return_counts=True
    )
    own = np.minimum(films, urn.cap)
    return np.bincount(pairs // (int(urn.patients.max(initial=0)) + 1), weights=own, minlength=cells)


def _possible(room: Counts, margins: Sequence[NDArray[np.int64]], wanted: Sequence[Counts]) -> int:
    """The most films with these shares: a linear program over the cells and the size."""
    live = np.flatnonzero(room > 0)
    rows, columns, values, base = [], [], [], 0
    for codes, share in zip(margins, wanted, strict=True):
        rows += [base + codes[live], base + np.arange(len(share))]
        columns += [np.arange(len(live)), np.full(len(share), len(live))]
        values += [np.ones(len(live)), -share]
        base += len(share)
    equal = csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(base, len(live) + 1)
    )
    bounds = [(0.0, float(most)) for most in room[live]] + [(0.0, float(room.sum()))]
    gain = np.append(np.zeros(len(live)), -1.0)
    found = linprog(gain, A_eq=equal, b_eq=np.zeros(base), bounds=bounds, method="highs")
    return int(-found.fun + 1e-6) if found.status == 0 else 0


def _rake(room: Counts, margins: Sequence[NDArray[np.int64]], wanted: Sequence[Counts], films: int) -> Counts:
    """(cells,) how many of each: every film of a cell has the same chance, whose log odds are a sum over margins."""
    live = room > 0
    odds = np.full(len(room), np.log(films / max(room.sum() - films, 0.5)))
    for _ in range(_SWEEPS):
        off = 0.0
        for codes, share in zip(margins, wanted, strict=True):
            mine, goal = np.where(live, codes, 0), share * films
            now = np.bincount(mine, weights=room * expit(odds), minlength=len(share))
            off = max(off, float(np.abs(now - goal).max()))
            low, high = np.full(len(share), -60.0), np.full(len(share), 60.0)
            for _ in range(_HALVINGS):
                middle = (low + high) / 2
                there = np.bincount(mine, weights=room * expit(odds + middle[mine]), minlength=len(share))
                low, high = np.where(there < goal, middle, low), np.where(there < goal, high, middle)
            odds = np.clip(odds + ((low + high) / 2)[mine], -80.0, 80.0)
        if off < 1e-6 * films:
            break
    return np.where(live, room * expit(odds), 0.0)


def _whole(
    exact: Counts, room: Counts, margins: Sequence[NDArray[np.int64]], wanted: Sequence[Counts], films: int
) -> NDArray[np.int64]:
    """Whole numbers that add up to `films`: what is left after rounding down goes where margins lack most."""
    found = np.minimum(np.floor(exact + 1e-9), room)
    lacks = [
        share * films - np.bincount(codes[codes >= 0], weights=found[codes >= 0], minlength=len(share))
        for codes, share in zip(margins, wanted, strict=True)
    ]
    for _ in range(films - int(found.sum())):
        gain = exact - found
        for codes, lack in zip(margins, lacks, strict=True):
            gain = gain + lack[codes]
        gain[found + 1 > room] = -np.inf
        best = int(np.argmax(gain))
        if not np.isfinite(gain[best]):
            break
        found[best] += 1
        for codes, lack in zip(margins, lacks, strict=True):
            lack[codes[best]] -= 1
    return found.astype(np.int64)


def _draw(urn: Urn, cells: list[tuple[str, ...]], cell_of: NDArray[np.int64], whole: NDArray[np.int64]) -> Drawn:
    """The cells with least to choose from first: a patient may have films of several."""
    made, one = urn.draw, Variable("", [""], np.zeros(len(cell_of), np.int32))
    there = np.bincount(cell_of[cell_of >= 0], minlength=len(cells))
    wanted = np.flatnonzero(whole)
    for cell in wanted[np.argsort(there[wanted] / whole[wanted], kind="stable")]:
        made.take(one, cell_of == cell, int(whole[cell]), PROPORTIONAL, ", ".join(cells[cell]))
    return made.done()


def _margin(counts: Counts, codes: NDArray[np.int64], keys: int) -> Counts:
    """(keys + 1,) shares, of what is not wanted last."""
    found = np.bincount(np.where(codes < 0, keys, codes), weights=counts, minlength=keys + 1)
    return found / max(found.sum(), 1.0)


def _nothing(message: str) -> HilumError:
    return HilumError(ErrorCode.FAILED_PRECONDITION, message)


def as_json(met: Met) -> dict[str, Any]:
    """The figures, as plain JSON."""
    return {
        "asked": met.asked,
        "possible": met.possible,
        "lacking": met.lacking,
        "drawn": len(met.drawn.rows),
        "targets": {
            one.name: dict(zip(("distance_before", "distance_after"), one.distances, strict=True))
            for one in met.reached
        },
    }
