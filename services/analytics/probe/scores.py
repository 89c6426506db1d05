"""Accuracy and AUROC fold by fold, the study's interval over folds, and the bootstrap's by patients beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from services.analytics.estimate import Estimate

ACCURACY, AUROC = "accuracy", "AUROC"
MEASURES = (ACCURACY, AUROC)

K = TypeVar("K")
Numbers = NDArray[np.float64]
Bools = NDArray[np.bool_]


def auroc(y: Bools, score: Numbers, weight: Numbers | None = None, strata: NDArray[np.int64] | None = None) -> Numbers:
    """(B,) area under the ROC curve, ties counting half, of films (n,) weighted by `weight` (B, n).

    strata: (n,); only pairs within one are compared.  Without weight B is 1. NaN where there is no pair.
    """
    drawn = np.ones((1, len(y))) if weight is None else weight
    parts = [np.arange(len(y))] if strata is None else [np.flatnonzero(strata == s) for s in np.unique(strata)]
    right, pairs = np.zeros(len(drawn)), np.zeros(len(drawn))
    for part in parts:
        order = part[np.argsort(score[part], kind="stable")]
        edge = np.flatnonzero(np.diff(score[order], prepend=np.nan) != 0)
        has = np.add.reduceat(drawn[:, order] * y[order], edge, axis=1)
        lacks = np.add.reduceat(drawn[:, order] * ~y[order], edge, axis=1)
        right += (has * (np.cumsum(lacks, axis=1) - lacks / 2)).sum(axis=1)
        pairs += has.sum(axis=1) * lacks.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return right / np.where(pairs > 0, pairs, np.nan)


def accuracy(y: Bools, promise: Numbers, weight: Numbers | None = None) -> Numbers:
    """(B,) share of films whose side is the one that is promised at least one half."""
    drawn = np.ones((1, len(y))) if weight is None else weight
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Numbers = (drawn @ (y == (promise >= 0.5)).astype(np.float64)) / drawn.sum(axis=1)
    return found


def half_width(values: Sequence[float] | Numbers) -> float:
    """Half the 95 % interval of the mean of K folds: t(K − 1) · s / √K.

    Too narrow as a rule: folds share most of what they learn from (Bengio & Grandvalet 2004).
    """
    found = np.asarray(values, dtype=np.float64)
    return float(stats.t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found)))


def average(means: Sequence[float], halves: Sequence[float]) -> tuple[float, float]:
    """The study's average over L labels and its half-width, √Σh² / L: as though labels were measured independently.

    It gives the average rows of the study's tables, but for their rounding.
    """
    return float(np.mean(means)), float(np.sqrt(np.sum(np.square(halves))) / len(halves))


def study(mean: float, half: float) -> str:
    """As the study writes it: ``0.84 ± 0.014``."""
    if not np.isfinite([mean, half]).all():
        return "–"
    places = 4 if half <= 0 else int(np.clip(1 - np.floor(np.log10(half)), 2, 6))
    return f"{mean:.2f} ± {half:.{places}f}"


@dataclass(frozen=True)
class Measured:
    """One figure. folds: (K,), NaN where a fold has one side only.  draws: (B,) the mean over folds, patients drawn
    again: of the tests alone, the classifiers stay as they were fitted."""

    folds: Numbers
    draws: Numbers

    @property
    def mean(self) -> float:
        return float(np.nanmean(self.folds)) if np.isfinite(self.folds).any() else float("nan")

    @property
    def half(self) -> float:
        known = self.folds[np.isfinite(self.folds)]
        return half_width(known) if len(known) > 1 else float("nan")

    @property
    def estimate(self) -> Estimate:
        return Estimate.of(self.mean, self.draws)

    def less(self, other: Measured) -> Measured:
        """The difference, fold by fold and draw by draw."""
        return Measured(self.folds - other.folds, self.draws - other.draws)

    def as_json(self) -> dict[str, object]:
        half = self.half
        folds = [float(v) if np.isfinite(v) else None for v in self.folds]
        return {**self.estimate.as_json(), "half_width": half if np.isfinite(half) else None, "folds": folds}


def by_fold(y: Bools, promise: Numbers, fold: NDArray[np.int8], weight: Numbers) -> dict[str, Measured]:
    """Accuracy and AUROC of promises made out of fold. weight: (B, n), as `services.analytics.resample.weights`."""
    parts = [np.flatnonzero(fold == number) for number in np.unique(fold)]
    found = {}
    for name, measure in ((ACCURACY, accuracy), (AUROC, auroc)):
        folds = np.array([measure(y[part], promise[part])[0] for part in parts])
        drawn = np.stack([measure(y[part], promise[part], weight[:, part]) for part in parts])
        found[name] = Measured(folds, mean_known(drawn))
    return found


def together(found: Sequence[Measured]) -> Measured:
    """The mean of several figures of the same draws of patients; its `folds` are their means."""
    return Measured(np.array([one.mean for one in found]), np.mean([one.draws for one in found], axis=0))


def mean_known(drawn: Numbers) -> Numbers:
    """(B,) mean over the first axis of what is known; NaN where nothing is."""
    there = np.isfinite(drawn)
    with np.errstate(invalid="ignore"):
        found: Numbers = np.where(there, drawn, 0.0).sum(axis=0) / np.where(
            there.any(axis=0), there.sum(axis=0), np.nan
        )
    return found


def wald(found: Measured) -> float:
    """Two-sided p of the figure's being 0, by the spread of its draws; NaN where there is none."""
    spread = float(np.nanstd(found.draws, ddof=1))
    return float(2 * stats.norm.sf(abs(found.mean) / spread)) if spread > 0 else float("nan")


def holm(values: Mapping[K, float]) -> dict[K, float]:
    """Holm 1979: p values as they stand among so many tests. NaN is no test."""
    known = sorted((p, n) for n, p in enumerate(values.values()) if np.isfinite(p))
    found, names, highest = dict.fromkeys(values, float("nan")), list(values), 0.0
    for rank, (p, n) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        found[names[n]] = highest
    return found
