"""What a specification draws after its criteria and caps: matched controls, then a sample. Two more steps of the flow.

Units are drawn whole: a study or a patient stands in the draw with one of its films, of a case one that makes it a
case, chosen by the seed. A matched cohort is sampled by its cases, whose controls come with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import sample as order
from services.analytics.bench import Once, plainly
from services.analytics.cohort import sampling, words
from services.analytics.cohort.balance import Balance, balance
from services.analytics.cohort.flow import MATCH, SAMPLE, Flow
from services.analytics.cohort.matching import Matched, Rules, match
from services.analytics.cohort.measure import MAHALANOBIS, PROPENSITY
from services.analytics.cohort.population import Mask, Population
from services.analytics.cohort.sampling import Met, Target, Urn
from services.analytics.cohort.spec import QUOTAS, STRATIFIED, TARGET, Sample, Spec
from services.analytics.cohort.spec import Match as Asked
from services.analytics.cohort.traits import Number, trait
from services.analytics.frame import Frame
from services.analytics.progress import Progress
from services.analytics.sampling.draw import Drawn
from services.analytics.variables import crossed, variable
from services.core.errors import ErrorCode, HilumError

Passing = Callable[[str], Mask]
Rows = NDArray[np.int64]
CASES, CONTROLS = "cases", "controls"


@dataclass
class Draws:
    """What came of it. group: (N,) int8, 1 for cases and 0 for controls, −1 for others.  matched: rows are positions
    in the population.  cases: before matching, in units.  lines: how alike cases and controls are, of the cohort as it
    ended.  met: of a sample to a target.  drawn: of any sample; its rows are units."""

    group: NDArray[np.int8]
    matched: Matched | None = None
    cases: int = 0
    lines: list[Balance] = field(default_factory=list)
    met: Met | None = None
    drawn: Drawn | None = None

    def as_json(self) -> dict[str, Any]:
        """The figures, as plain JSON."""
        told: dict[str, Any] = {}
        if self.matched:
            told["match"] = {
                "cases": self.cases, "matched": len(self.matched.cases), "controls": len(self.matched.controls),
                "pairs": len(self.matched.case), "possible_controls": len(self.matched.pool),
                "unmatched": {why: len(rows) for why, rows in self.matched.unmatched.items()},
                "short": len(self.matched.short), "how": self.matched.how,
                "distance": float(self.matched.distance.sum()), "balance": [one.as_json() for one in self.lines],
            }  # fmt: skip
        if self.met:
            told["target"] = sampling.as_json(self.met)
        return told


def draw(flow: Flow, spec: Spec, passing: Passing, progress: Progress, once: Once = plainly) -> Draws:
    """Match and sample what the flow has left, as steps of it. passing: a filter's films, (N,).  once: of the bench, of
    the films of the flow.

    Raises INVALID_ARGUMENT, INVALID_FILTER; FAILED_PRECONDITION where there is nobody to match or draw.
    """
    made = Draws(np.full(len(flow.population), -1, np.int8))
    if spec.match:
        _match(flow, spec, spec.match, passing, progress, made, once)
    if spec.sample:
        _sample(flow, spec, spec.sample, passing, made, once)
    if made.matched:
        made.group[~flow.mask] = -1
        _balance(flow.population, spec, made)
    return made


def _match(
    flow: Flow, spec: Spec, asked: Asked, passing: Passing, progress: Progress, made: Draws, once: Once
) -> None:  # fmt: skip
    films, left = flow.population, flow.mask.copy()
    case = passing(asked.cases) & left
    pool = left & (passing(asked.controls) if asked.controls else True)
    if not case.any():
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "no film that is left is a case; loosen what makes a case")
    units = films.units(spec.unit)
    case_unit = films.lifted(case, spec.unit)
    rows = _one_each(films, units, case | (pool & ~case_unit), case, spec.seed)
    frame = films.frame.take(rows)
    rules = Rules(
        distance=PROPENSITY if asked.propensity else MAHALANOBIS,
        caliper=max(asked.caliper, 0.0) if asked.propensity else 0.0,
        ratio=asked.cases_to_controls,
    )

    def matched() -> Matched:
        return match(
            case_unit[rows], pool[rows], films.patients[rows], order.places(frame.ids, spec.seed),
            [trait(frame, name) for name in asked.exact],
            [trait(frame, name) for name in (*asked.nearest, *asked.propensity)],
            rules, progress, [(_number(frame, name), far) for name, far in asked.within.items()],
        )  # fmt: skip

    found = once("matching", matched, rows, case_unit[rows], pool[rows])
    if not len(found.case):
        why = "; ".join(f"{len(some):,}: {reason}" for reason, some in found.unmatched.items())
        raise HilumError(ErrorCode.FAILED_PRECONDITION, f"no case has a control ({why}); ask for less alike ones")
    made.cases = int(case_unit[rows].sum())
    made.matched = replace(
        found, case=rows[found.case], control=rows[found.control], short=rows[found.short], pool=rows[found.pool],
        unmatched={why: rows[some] for why, some in found.unmatched.items()},
    )  # fmt: skip
    for code, some in ((0, made.matched.control), (1, made.matched.case)):
        chosen = np.zeros(int(units.max()) + 1, bool)
        chosen[units[some]] = True
        made.group[chosen[units] & left] = code
    flow.step("Matched", MATCH, words.match(asked), made.group >= 0)


def _balance(films: Population, spec: Spec, made: Draws) -> None:
    """Of the films that stand for their units, cases and possible controls before, and those that are left after."""
    assert made.matched is not None
    assert spec.match is not None
    told = made.matched
    kept = (made.group[told.case] == 1) & (made.group[told.control] == 0)
    told = replace(told, case=told.case[kept], control=told.control[kept])
    everyone = np.unique(np.concatenate([told.case, told.pool, *told.unmatched.values(), made.matched.case]))
    place = np.full(len(films), -1, np.int64)
    place[everyone] = np.arange(len(everyone))
    case = np.ones(len(everyone), bool)
    case[place[told.pool]] = False
    frame = films.frame.take(everyone)
    asked = spec.match
    names = dict.fromkeys((*asked.nearest, *asked.propensity, *asked.within, *asked.exact))
    placed = replace(told, case=place[told.case], control=place[told.control], pool=place[told.pool])
    made.lines = balance([trait(frame, name) for name in names], placed.sides(case))


def _sample(flow: Flow, spec: Spec, asked: Sample, passing: Passing, made: Draws, once: Once) -> None:
    films, left = flow.population, flow.mask & (made.group != 0)
    units = films.units(spec.unit)
    like = passing(asked.like) if asked.like else None
    members = left if like is None else left | like
    rows = _one_each(films, units, members, left, spec.seed)
    frame = films.frame.take(rows)
    urn = Urn(order.places(frame.ids, spec.seed), films.patients[rows], left[rows])
    if asked.how == TARGET:
        theirs = None if like is None else films.lifted(like, spec.unit)[rows]
        made.met = once("sample", lambda: _to_target(frame, asked, urn, theirs), rows, urn.members, theirs)
        made.drawn = made.met.drawn
    elif asked.how == QUOTAS:
        among = [
            (one.filter, films.lifted(passing(one.filter) & left, spec.unit)[rows], one.size) for one in asked.quotas
        ]
        made.drawn = once("sample", lambda: sampling.quotas(urn, among), rows, [inside for _, inside, _ in among])
    elif asked.how == STRATIFIED:
        strata = crossed([variable(frame, name) for name in asked.by], len(rows))
        stratified = partial(sampling.stratified, urn, strata, asked.size, asked.allocation)
        made.drawn = once("sample", stratified, rows, urn.members)
    else:
        made.drawn = sampling.plain(urn, asked.size)
    chosen = np.zeros(int(units.max(initial=-1)) + 1, bool)
    chosen[units[rows[made.drawn.rows]]] = True
    if made.matched:
        mine = chosen[units[made.matched.case]]
        chosen[units[made.matched.control[mine]]] = True
    flow.step("Sample", SAMPLE, words.sample(asked, spec.unit), chosen[units] & flow.mask)


def _to_target(frame: Frame, asked: Sample, urn: Urn, like: Mask | None) -> Met:
    if like is not None:
        told = [variable(frame, name) for name in asked.by]
        wanted = sampling.shares_of(told, like)
        return sampling.to_target(urn, {one.name: one for one in told}, [wanted], asked.size, strict=False)
    names = {one.variable: variable(frame, one.variable) for one in asked.targets}
    targets = [
        Target((one.variable,), {(value,): share for value, share in one.shares.items()}) for one in asked.targets
    ]
    return sampling.to_target(urn, names, targets, asked.size)


def _one_each(films: Population, units: NDArray[np.int32], members: Mask, rather: Mask, seed: int) -> Rows:
    """One of the `members` of every unit, rising; one of those that are `rather`, where there is one, by the seed."""
    rows = np.flatnonzero(members)
    if len(np.unique(units[rows])) == len(rows):
        return rows
    place = order.places(films.frame.table["image_id"].take(rows).to_pylist(), seed)
    line = np.lexsort((place, ~rather[rows], units[rows]))
    first = np.flatnonzero(np.diff(units[rows][line], prepend=-1))
    return np.sort(rows[line[first]])


def _number(frame: Frame, name: str) -> Number:
    found = trait(frame, name)
    assert isinstance(found, Number)
    return found
