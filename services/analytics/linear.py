"""What a straight line reads from vectors, on patients that it was not drawn through.

L2 logistic regression on standardised vectors, every film's probabilities from folds without its patient; how much is
held back is chosen inside each fold, by the log loss on a quarter of its patients.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from services.analytics.estimate import Estimate
from services.analytics.probe.scores import auroc
from services.analytics.resample import weights

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # C: the larger, the less is held back
FALLBACK = 1e-2  # where there are too few patients to choose one
MOST = 20_000  # films that lines are drawn through; of more, these are drawn
DRAWS = 300
_STEPS = 300  # of L-BFGS
_AT_ONCE = 2**21  # weights in hand

Vectors = NDArray[np.float32]
Codes = NDArray[np.int32]
Change = Callable[[NDArray[np.int64]], Callable[[Vectors], Vectors]]


@dataclass(frozen=True)
class Reading:
    """An AUROC and what it is in each draw of the patients, (B,)."""

    value: float
    draws: NDArray[np.float64]

    @property
    def estimate(self) -> Estimate:
        return Estimate.of(self.value, self.draws)

    def less(self, other: Reading) -> Estimate:
        """This less the other, over the same draws: what moves both, cancels."""
        return Estimate.of(self.value - other.value, self.draws - other.draws)


def learn(
    unit: Vectors, codes: Codes, classes: int, penalties: Sequence[float]
) -> list[Callable[[Vectors], NDArray[np.float64]]]:
    """For each penalty a line through (n, D) vectors of the classes `codes`, as a function (m, D) → (m, classes)
    probabilities; a class with no film to learn from has none."""
    scale = StandardScaler().fit(unit)
    model, scaled, found = LogisticRegression(warm_start=True, max_iter=_STEPS), scale.transform(unit), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the largest C on separable films
        for penalty in penalties:
            model.set_params(C=penalty).fit(scaled, codes)
            found.append(_promise(scale, model.classes_, model.coef_.copy(), model.intercept_.copy(), classes))
    return found


def _promise(
    scale: StandardScaler,
    there: NDArray[np.int32],
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    classes: int,
) -> Callable[[Vectors], NDArray[np.float64]]:
    def promise(others: Vectors) -> NDArray[np.float64]:
        odds = scale.transform(others) @ weight.T + bias
        found = np.zeros((len(others), classes))
        found[:, there] = softmax(np.hstack([np.zeros_like(odds), odds]) if odds.shape[1] == 1 else odds, axis=1)
        return found

    return promise


def penalty(unit: Vectors, codes: Codes, patients: NDArray[np.int32], seed: int) -> float:
    """The C of PENALTIES with the least log loss on a quarter of the patients."""
    if not enough(codes, patients, 4):
        return FALLBACK
    makes = StratifiedGroupKFold(4, shuffle=True, random_state=seed)
    train, test = next(iter(makes.split(np.zeros(len(codes)), codes, patients)))
    made = learn(unit[train], codes[train], int(codes.max()) + 1, PENALTIES)
    true = [one(unit[test])[np.arange(len(test)), codes[test]] for one in made]
    return PENALTIES[int(np.argmin([-np.log(np.maximum(p, 1e-12)).mean() for p in true]))]


def out_of_fold(
    unit: Vectors, codes: Codes, patients: NDArray[np.int32], folds: int, seed: int,
    change: Change | None = None, fixed: float | None = None,
) -> NDArray[np.float64]:  # fmt: skip
    """(N, C) probabilities of each class for (N, D) vectors, learned from other patients' films.

    fixed: the penalty, where it is not to be chosen in each fold.
    change: rows to learn from → what is done to all vectors before; what it learns, it learns from those rows alone.
    """
    classes = int(codes.max()) + 1
    found = np.zeros((len(unit), classes))
    makes = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for train, test in makes.split(np.zeros(len(codes)), codes, patients):
        changed = change(train) if change else _as_it_is
        known = changed(unit[train])
        held = fixed if fixed is not None else penalty(known, codes[train], patients[train], seed)
        found[test] = learn(known, codes[train], classes, [held])[0](changed(unit[test]))
    return found


def macro(codes: Codes, promise: NDArray[np.float64], weight: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """(B,) mean over classes of the AUROC of each against the rest, as scikit-learn's ``multi_class="ovr"``."""
    each = [auroc(codes == one, promise[:, one], weight) for one in range(promise.shape[1])]
    found: NDArray[np.float64] = np.mean(each, axis=0)
    return found


def reading(codes: Codes, promise: NDArray[np.float64], patients: NDArray[np.int32], seed: int) -> Reading:
    """The macro AUROC with its draws by patient. The classifiers stay as they are."""
    _, person = np.unique(patients, return_inverse=True)
    times = weights(int(person.max()) + 1, DRAWS, seed)
    step = max(1, _AT_ONCE // len(codes))
    draws = [macro(codes, promise, times[at : at + step][:, person]) for at in range(0, DRAWS, step)]
    return Reading(float(macro(codes, promise)[0]), np.concatenate(draws))


def enough(codes: Codes, patients: NDArray[np.int32], folds: int) -> bool:
    """Can folds be made, with two classes and patients of each in every one?"""
    people = [len(np.unique(patients[codes == one])) for one in range(int(codes.max(initial=0)) + 1)]
    return len(people) > 1 and min(people) >= folds


def some(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """At most so many of the rows, drawn by the seed."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _as_it_is(unit: Vectors) -> Vectors:
    return unit
