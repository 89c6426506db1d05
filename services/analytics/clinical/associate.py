"""What goes together with the outcome: clusters, each variable alone, each component of the vectors alone.

Every figure is of the patients of whom all it needs is known. p are Benjamini–Hochberg's q among all tests of their
table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from services.analytics.clinical import survival
from services.analytics.clinical.groups import Grouping
from services.analytics.clinical.outcome import MIN_EVENTS, Outcome
from services.analytics.clinical.spaces import Data, Reduced
from services.analytics.clinical.survival import NOTHING, Effect
from services.analytics.clinical.tables import Coding
from services.analytics.structure.enrichment import odds_ratio, p_values

Numbers = NDArray[np.float64]

_Z = float(stats.norm.ppf(0.975))
_STEPS, _CLOSE, _SINGULAR = 50, 1e-9, 1e12


@dataclass(frozen=True)
class Alone:
    """A variable or component by itself. patients: of whom it is known.  q: among all of the table."""

    name: str
    patients: int
    events: int
    effect: Effect
    q: float = float("nan")


@dataclass(frozen=True)
class Sorted:
    """How clusters part by the outcome. chi2, p: of the log-rank test, or of Pearson's on clusters by outcome.  q:
    among all groupings.  effects: of each cluster, against the largest (hazards) or against the rest (odds).  counts:
    of each, patients and events."""

    grouping: Grouping
    members: NDArray[np.int32]  # of the outcome's patients
    chi2: float
    p: float
    effects: list[Effect]
    counts: list[tuple[int, int]]
    q: float = float("nan")


def clusters(found: Sequence[Grouping], outcome: Outcome) -> list[Sorted]:
    """Every grouping against the outcome."""
    made = []
    for one in found:
        members = one.members[outcome.rows]
        sizes = np.bincount(members, minlength=len(one.sizes))
        events = np.bincount(members[outcome.event], minlength=len(one.sizes))
        square, p, effects = (_in_time if outcome.time is not None else _by_odds)(members, outcome, len(sizes))
        counts = list(zip(sizes.tolist(), events.tolist(), strict=True))
        made.append(Sorted(one, members, square, p, effects, counts))
    return [replace(one, q=q) for one, q in zip(made, adjusted([one.p for one in made]), strict=True)]


def alone(data: Data, reduced: Reduced, outcome: Outcome) -> list[Alone]:
    """Each variable and component; numbers per standard deviation, categories against all others. data, reduced: of
    the outcome's patients."""
    coding, found = Coding.learn(data.columns), []
    coded, seen = coding(data.columns), coding.seen(data.columns)
    for place, part in enumerate(coding.parts):
        x = coded[:, place] if part.value is None and not part.missing else (coded[:, place] > 0).astype(np.float64)
        found.append(_alone(part.name, x, seen[:, place], outcome))
    for block, names in zip(reduced.blocks[:-1], reduced.names[:-1], strict=True):
        for column, name in enumerate(names):
            x = block[:, column]
            found.append(_alone(name, (x - x.mean()) / (x.std() or 1.0), np.ones(len(x), bool), outcome))
    q = adjusted([one.effect.p for one in found])
    return [replace(one, q=value) for one, value in zip(found, q, strict=True)]


def odds(event: NDArray[np.bool_], x: Numbers) -> Effect:
    """Odds ratio of x (n,), by logistic regression without a penalty (Newton's method), Wald's interval."""
    design, beta = np.column_stack([np.ones(len(x)), x]), np.zeros(2)
    for _ in range(_STEPS):
        promise = expit(design @ beta)
        curve = design.T @ (design * (promise * (1 - promise))[:, None])
        if not np.linalg.cond(curve) < _SINGULAR:
            return NOTHING  # all events on one side
        step = np.linalg.solve(curve, design.T @ (event - promise))
        beta = beta + step
        if np.abs(step).max() < _CLOSE:
            break
    else:
        return NOTHING
    value, error = float(beta[1]), float(np.sqrt(np.linalg.inv(curve)[1, 1]))
    p = float(2 * stats.norm.sf(abs(value / error)))
    return Effect(float(np.exp(value)), float(np.exp(value - _Z * error)), float(np.exp(value + _Z * error)), p)


def adjusted(p: Sequence[float]) -> list[float]:
    """Benjamini & Hochberg 1995; NaN is no test."""
    values, found = np.asarray(p, dtype=np.float64), np.full(len(p), np.nan)
    known = np.isfinite(values)
    if known.any():
        found[known] = stats.false_discovery_control(np.clip(values[known], 0.0, 1.0))
    return [float(q) for q in found]


def _alone(name: str, x: Numbers, known: NDArray[np.bool_], outcome: Outcome) -> Alone:
    event = outcome.event[known]
    rare = int(event.sum()) if outcome.time is not None else int(min(event.sum(), (~event).sum()))
    if rare < MIN_EVENTS or not x[known].std() > 0:
        return Alone(name, int(known.sum()), int(event.sum()), NOTHING)
    if outcome.time is None:
        effect = odds(event, x[known])
    else:
        effect = survival.cox(outcome.time[known], event, x[known, None])[0]
    return Alone(name, int(known.sum()), int(event.sum()), effect)


def _in_time(members: NDArray[np.int32], outcome: Outcome, clusters: int) -> tuple[float, float, list[Effect]]:
    assert outcome.time is not None
    square, p = survival.log_rank(outcome.time, outcome.event, members)
    with_events = [c for c in range(1, clusters) if outcome.event[members == c].any()]
    effects, first = [NOTHING] * clusters, bool(outcome.event[members == 0].any())
    if with_events and first:  # a cluster without events has no hazard to hold against others
        rows = np.isin(members, [0, *with_events])
        x = (members[rows, None] == np.array(with_events)).astype(np.float64)
        for place, effect in zip(with_events, survival.cox(outcome.time[rows], outcome.event[rows], x), strict=True):
            effects[place] = effect
    return square, p, effects


def _by_odds(members: NDArray[np.int32], outcome: Outcome, clusters: int) -> tuple[float, float, list[Effect]]:
    counts = np.zeros((clusters, 2), dtype=np.int64)
    np.add.at(counts, (members, outcome.event.astype(int)), 1)
    there = counts[counts.sum(axis=1) > 0]
    square, p = stats.chi2_contingency(there, correction=False)[:2] if len(there) > 1 else (np.nan, np.nan)
    yes, no = counts[:, 1], counts[:, 0]
    tables = np.stack([yes, no, yes.sum() - yes, no.sum() - no], axis=1)
    tested, _ = p_values(tables) if clusters > 1 else (np.full(clusters, np.nan), [])
    return float(square), float(p), [
        Effect(*odds_ratio(table), float(one)) if clusters > 1 else NOTHING
        for table, one in zip(tables, tested, strict=True)
    ]  # fmt: skip
