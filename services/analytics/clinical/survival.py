"""Time to an event: Kaplan–Meier, log-rank, Cox and whether its hazards are proportional, by lifelines."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.exceptions import ConvergenceError
from lifelines.statistics import multivariate_logrank_test, proportional_hazard_test
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Bools = NDArray[np.bool_]

_PRECISION = 1e-12  # lifelines stops at 1e-7, a few units of the sixth decimal away
_WILD = 15.0  # a log hazard ratio, or its error, of which nothing is known: everybody on one side


@dataclass(frozen=True)
class Curve:
    """Survival of n patients from each time on, beginning with 1 at time 0. low, high: 95 %, by log(−log) of
    Greenwood's (Kalbfleisch & Prentice).  at_risk: at each of the times asked for."""

    n: int
    events: int
    times: Numbers
    alive: Numbers
    low: Numbers
    high: Numbers
    at_risk: list[int]

    @property
    def median(self) -> float:
        """NaN where more than half are alive at the end."""
        below = np.flatnonzero(self.alive <= 0.5)
        return float(self.times[below[0]]) if len(below) else float("nan")


@dataclass(frozen=True)
class Effect:
    """A ratio of hazards (or odds) with its 95 % interval. proportional: p of the hazards' being proportional, None of
    odds.  All NaN where it cannot be estimated."""

    ratio: float
    low: float
    high: float
    p: float
    proportional: float | None = None

    @property
    def known(self) -> bool:
        return bool(np.isfinite([self.ratio, self.low, self.high, self.p]).all())


NOTHING = Effect(*[float("nan")] * 4)


def curve(time: Numbers, event: Bools, ticks: Sequence[float]) -> Curve:
    """Kaplan & Meier 1958."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of intervals where everybody is alive or dead
        made = KaplanMeierFitter().fit(time, event)
    alive = made.survival_function_.to_numpy()[:, 0]
    low, high = made.confidence_interval_survival_function_.to_numpy().T
    low, high = (np.where(np.isfinite(side), side, alive) for side in (low, high))
    at_risk = [int((time >= tick).sum()) for tick in ticks]
    times = made.survival_function_.index.to_numpy(dtype=np.float64)
    return Curve(len(time), int(event.sum()), times, alive, low, high, at_risk)


def log_rank(time: Numbers, event: Bools, group: NDArray[np.int32]) -> tuple[float, float]:
    """χ² and its p (Mantel 1966), of two groups or more. NaN where there is one."""
    if len(np.unique(group)) < 2 or not event.any():
        return float("nan"), float("nan")
    found = multivariate_logrank_test(time, group, event)
    return float(found.test_statistic), float(found.p_value)


def cox(time: Numbers, event: Bools, x: Numbers) -> list[Effect]:
    """Hazard ratio of each column of x (n, F), all in one model (Cox 1972, ties by Efron); whether it is the same at
    all times by scaled Schoenfeld residuals against the rank of time (Grambsch & Therneau 1994)."""
    names = [f"x{column}" for column in range(x.shape[1])]
    table = pd.DataFrame(x, columns=names).assign(time=time, event=event)
    if not event.any() or not (x.std(axis=0) > 0).all():
        return [NOTHING] * len(names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what does not converge, which is told by its interval
        try:
            made = CoxPHFitter().fit(table, "time", "event", fit_options={"precision": _PRECISION})
            flat = np.atleast_1d(proportional_hazard_test(made, table, time_transform=_rank).p_value)
        except (ConvergenceError, np.linalg.LinAlgError, ValueError):
            return [NOTHING] * len(names)
    told = made.summary
    beta, error = told["coef"].to_numpy(), told["se(coef)"].to_numpy()
    if not (np.isfinite(error).all() and (np.abs(beta) < _WILD).all() and (error < _WILD).all()):
        return [NOTHING] * len(names)
    ends = told[["exp(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%", "p"]].to_numpy()
    return [Effect(*map(float, row), float(p)) for row, p in zip(ends, flat, strict=True)]


def _rank(time: pd.Series, event: pd.Series, weight: object) -> pd.Series:
    """Among the times of events, ties in the middle; lifelines' own gives them places as they come."""
    return time.where(event).rank()
