"""A curve from pairs: isotonic regression of *shares the finding* on the score, its interval, and how far to trust it.

Scores are put into bins of equally many pairs, the bins' rates into a rising order (pool adjacent violators). One pair
at the base rate is added to each bin, so that no curve says never or always. The interval draws patients again, and a
pair counts as often as both its patients were drawn: pairs that share a patient, at whichever end, are not independent
(pigeonhole bootstrap: Owen 2007; it errs to the wide side).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from services.analytics.estimate import Estimate
from services.analytics.resample import means, weights
from services.core.calibration import Curve

MIN_PAIRS, MIN_PATIENTS = 200, 20  # of those who ask; with fewer there is no curve
DRAWS = 200
_BINS, _IN_BIN, _IN_BIN_PATIENTS = 60, 25, 3  # pairs of one patient go together: bins are fewer where patients are
_RELIABILITY = 10

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """P pairs of what asked and a film. score, shares: (P,).  one, other: (P,) patients of the two; the same where
    words asked.  base: how often any film shares it, near or not.  usual: the score that the best film shown for one
    that asks has, but for one in a hundred."""

    score: Numbers
    shares: NDArray[np.bool_]
    one: NDArray[np.int32]
    other: NDArray[np.int32]
    base: float
    usual: float = float("-inf")

    def __getitem__(self, mask: NDArray[np.bool_]) -> Pairs:
        return Pairs(self.score[mask], self.shares[mask], self.one[mask], self.other[mask], self.base, self.usual)

    @property
    def enough(self) -> bool:
        rare = min(int(self.shares.sum()), int((~self.shares).sum()))
        return len(self.score) >= MIN_PAIRS and len(np.unique(self.one)) >= MIN_PATIENTS and rare >= _IN_BIN


@dataclass(frozen=True)
class Bin:
    """Pairs that were promised much the same: the mean promise, and what came of it."""

    promised: float
    seen: Estimate


@dataclass(frozen=True)
class Fitted:
    """before: as if a cosine were a probability.  after: by curves fitted on other patients.  Both are of the same
    pairs, as are the reliability bins."""

    curve: Curve
    about: dict[str, Any]
    before: list[Bin]
    after: list[Bin]


def fit(pairs: Pairs, folds: int, seed: int) -> Fitted:
    """The curve of all pairs, and its errors by cross-validation over patients."""
    scores, probability = rising(pairs, np.ones(len(pairs.score)))
    low, high = _interval(pairs, scores, seed)
    low, high = np.minimum(low, probability), np.maximum(high, probability)
    sure = np.flatnonzero(low > pairs.base)
    curve = Curve(
        *(tuple(round(float(v), 5) for v in line) for line in (scores, probability, low, high)),
        threshold=round(max(float(scores[sure[0]]), pairs.usual), 5) if len(sure) else float("inf"),
    )
    promised = _out_of_fold(pairs, folds, seed)
    raw = np.clip(pairs.score, 0.0, 1.0)
    about = {
        "pairs": len(pairs.score),
        "patients": len(np.unique(pairs.one)),
        "base": pairs.base,
        "shared": float(pairs.shares.mean()),
        "brier_before": brier(raw, pairs.shares),
        "brier": brier(promised, pairs.shares),
        "brier_constant": brier(np.full(len(raw), pairs.shares.mean()), pairs.shares),
        "ece_before": ece(raw, pairs.shares),
        "ece": ece(promised, pairs.shares),
        "folds": folds,
    }
    return Fitted(curve, about, reliability(raw, pairs, seed), reliability(promised, pairs, seed))


def rising(pairs: Pairs, weight: Numbers) -> tuple[Numbers, Numbers]:
    """The isotonic curve of weighted pairs: mean scores of its bins, rising, and their probabilities."""
    bins = _bins(pairs)
    total = np.bincount(bins, weight)
    centre = np.bincount(bins, weight * pairs.score) / np.maximum(total, 1e-12)
    there = total > 0
    rate = _rates(bins, weight, pairs)[there]
    centre, first = np.unique(np.round(centre[there], 9), return_index=True)
    return centre, isotonic_regression(rate[first], sample_weight=total[there][first] + 1, y_min=0, y_max=1)


def ece(promised: Numbers, shares: NDArray[np.bool_]) -> float:
    """Expected calibration error over bins of equally many: mean distance of what was promised and what came of it.
    Naeini et al. 2015; Nguyen & O'Connor 2015 for equal counts."""
    return float(sum(abs(promised[part].sum() - shares[part].sum()) for part in _equal(promised)) / len(promised))


def brier(promised: Numbers, shares: NDArray[np.bool_]) -> float:
    """Mean squared error of the promises. Brier 1950."""
    return float(((promised - shares) ** 2).mean())


def reliability(promised: Numbers, pairs: Pairs, seed: int) -> list[Bin]:
    """What came of promises, in bins of equally many pairs; intervals by patients who ask."""
    return [
        Bin(
            float(promised[part].mean()), means(pairs.shares[part, None].astype(float), pairs.one[part], seed, DRAWS)[0]
        )
        for part in _equal(promised)
    ]


def _out_of_fold(pairs: Pairs, folds: int, seed: int) -> Numbers:
    """The promise for every pair, by a curve of pairs that have neither end in the fold of the patient who asks."""
    people = int(max(pairs.one.max(), pairs.other.max())) + 1
    fold = np.random.default_rng(seed).permutation(people) % folds
    promised = np.full(len(pairs.score), float(pairs.shares.mean()))
    for number in range(folds):
        rest = (fold[pairs.one] != number) & (fold[pairs.other] != number)
        test = fold[pairs.one] == number
        if rest.sum() >= _IN_BIN and test.any():
            train = pairs[rest]
            promised[test] = np.interp(pairs.score[test], *rising(train, np.ones(int(rest.sum()))))
    return promised


def _interval(pairs: Pairs, scores: Numbers, seed: int) -> tuple[Numbers, Numbers]:
    """2.5th and 97.5th percentile of the curve at `scores`, patients drawn again."""
    _, codes = np.unique(np.concatenate([pairs.one, pairs.other]), return_inverse=True)
    one, other = codes[: len(pairs.one)], codes[len(pairs.one) :]
    drawn = weights(int(codes.max()) + 1, DRAWS, seed)
    words = bool((one == other).all())
    again = np.stack([
        np.interp(scores, *rising(pairs, each[one] if words else each[one] * each[other])) for each in drawn
    ])  # fmt: skip
    low, high = np.percentile(again, (2.5, 97.5), axis=0)
    return np.maximum.accumulate(low), np.maximum.accumulate(high)


def _rates(bins: NDArray[np.intp], weight: Numbers, pairs: Pairs) -> Numbers:
    """Share of each bin, with one pair at the base rate in it."""
    shares = np.bincount(bins, weight * pairs.shares)
    rates: Numbers = (shares + pairs.base) / (np.bincount(bins, weight) + 1)
    return rates


def _bins(pairs: Pairs) -> NDArray[np.intp]:
    """(P,) the bin of each pair; equal scores share one."""
    most = min(len(pairs.score) // _IN_BIN, len(np.unique(pairs.one)) // _IN_BIN_PATIENTS, _BINS)
    edges = np.unique(np.quantile(pairs.score, np.linspace(0, 1, max(most, 2) + 1)[1:-1]))
    return np.searchsorted(edges, pairs.score, side="right")


def _equal(promised: Numbers) -> list[NDArray[np.intp]]:
    parts = np.array_split(np.argsort(promised, kind="stable"), _RELIABILITY)
    return [part for part in parts if len(part)]
