"""How alike cases and controls are, before and after matching: standardised mean differences and ratios of variances.

A number: the difference of means over √((s₁² + s₀²) / 2). Two values: the same of shares, with variance p(1 − p)
(Austin, Stat Med 2009; 28:3083). Of more: √(dᵀ S⁻¹ d), d the differences of all shares but the first and S the mean of
both multinomial covariances (Yang and Dalton, SAS Global Forum 2012, paper 335). What stands below the line is that of
all cases and all possible controls, after matching too, so that only means move (Stuart, Stat Med 2008; 27:2062).
Unknown is left out, and how often something is unknown is a line of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics.cohort.traits import Number, Trait, known
from services.analytics.variables import Variable

LIMIT = 0.1  # beyond it a difference is worth a word (Austin 2009)

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Balance:
    """One variable, or one of its values. cases, controls: means of a number, shares of a value; NaN for the line of
    a variable of many values, whose difference is never negative.  ratio: of variances, of numbers alone."""

    variable: str
    value: str
    cases: float
    controls: float
    difference: float
    cases_matched: float
    controls_matched: float
    difference_matched: float
    ratio: float
    ratio_matched: float

    @property
    def name(self) -> str:
        return f"{self.variable}: {self.value}" if self.value else self.variable

    def as_json(self) -> dict[str, Any]:
        """NaN, of what cannot be told, is null."""
        return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Sides:
    """(N,) weights of films, 0 for those that do not count: cases and all possible controls, then the matched ones."""

    cases: Weights
    controls: Weights
    cases_matched: Weights
    controls_matched: Weights

    @property
    def pairs(self) -> tuple[tuple[Weights, Weights], tuple[Weights, Weights]]:
        return (self.cases, self.controls), (self.cases_matched, self.controls_matched)


def balance(traits: Sequence[Trait], sides: Sides) -> list[Balance]:
    """A line for each variable; for each value too where there are several; for what is unknown where anything is."""
    found: list[Balance] = []
    for one in traits:
        found += [_number(one, sides)] if isinstance(one, Number) else _values(one, sides)
        if not known(one)[sides.cases + sides.controls > 0].all():
            found.append(_share(one.name, "unknown", ~known(one), sides, np.ones(len(sides.cases), bool)))
    return found


def worst(lines: Sequence[Balance]) -> float:
    """The largest absolute difference after matching; 0 of nothing."""
    found = [abs(one.difference_matched) for one in lines if np.isfinite(one.difference_matched)]
    return max(found, default=0.0)


def _number(one: Number, sides: Sides) -> Balance:
    (a, b), (c, d) = (tuple(_moments(one.values, side) for side in pair) for pair in sides.pairs)
    spread = np.sqrt((a[1] + b[1]) / 2)
    return Balance(
        one.name, "", a[0], b[0], _over(a[0] - b[0], spread), c[0], d[0], _over(c[0] - d[0], spread),
        a[1] / b[1] if b[1] else float("nan"), c[1] / d[1] if d[1] else float("nan"),
    )  # fmt: skip


def _values(one: Variable, sides: Sides) -> list[Balance]:
    """Binary: its last value alone. More values: the variable, then each value."""
    seen = np.bincount(one.codes[(one.codes >= 0) & (sides.cases + sides.controls > 0)], minlength=len(one.values)) > 0
    there = np.flatnonzero(seen).tolist()
    lines = [_share(one.name, one.values[place], one.codes == place, sides, one.codes >= 0) for place in there]
    if len(lines) <= 2:
        return lines[-1:]
    shares = [[_shares(one.codes, side, there) for side in pair] for pair in sides.pairs]
    covariance = sum(np.diag(p[1:]) - np.outer(p[1:], p[1:]) for p in shares[0]) / 2
    inverse = np.linalg.pinv(covariance, hermitian=True) if np.isfinite(covariance).all() else covariance * np.nan
    apart = [a[1:] - b[1:] for a, b in shares]
    before, after = (float(np.sqrt(max(d @ inverse @ d, 0.0))) if np.isfinite(d).all() else np.nan for d in apart)
    nan = float("nan")
    return [Balance(one.name, "", nan, nan, before, nan, nan, after, nan, nan), *lines]


def _share(name: str, value: str, has: NDArray[np.bool_], sides: Sides, among: NDArray[np.bool_]) -> Balance:
    (a, b), (c, d) = (
        tuple(_moments(np.where(among, has.astype(np.float64), np.nan), side)[0] for side in pair)
        for pair in sides.pairs
    )
    spread = np.sqrt((a * (1 - a) + b * (1 - b)) / 2)
    nan = float("nan")
    return Balance(name, value, a, b, _over(a - b, spread), c, d, _over(c - d, spread), nan, nan)


def _shares(codes: NDArray[np.int32], weight: Weights, there: list[int]) -> NDArray[np.float64]:
    rows = codes >= 0
    counts = np.bincount(codes[rows], weights=weight[rows], minlength=max(there) + 1)[there]
    with np.errstate(invalid="ignore"):
        return counts / counts.sum()


def _moments(values: NDArray[np.float64], weight: Weights) -> tuple[float, float]:
    """Weighted mean and variance, unbiased: of n equal weights the sample's, over n − 1. NaN of too few."""
    rows = (weight > 0) & np.isfinite(values)
    w, x = weight[rows], values[rows]
    total = w.sum()
    if not len(w):
        return float("nan"), float("nan")
    mean = float(w @ x / total)
    freedom = total - (w @ w) / total
    return mean, float(w @ (x - mean) ** 2 / freedom) if len(w) > 1 else float("nan")


def _over(above: float, below: float) -> float:
    """0 / 0 is 0: nothing differs where nothing varies. A difference where nothing varies is infinite."""
    if not np.isfinite(above) or not np.isfinite(below):
        return float("nan")
    if below > 1e-12:
        return float(above / below)
    return 0.0 if abs(above) < 1e-12 else float(np.copysign(np.inf, above))
