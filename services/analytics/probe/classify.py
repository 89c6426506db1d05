"""The two classifiers of a probe, by scikit-learn: logistic regression and a small perceptron on standardised vectors.

What they choose for themselves (the penalty, when to stop) they choose on patients left out of what they learn from.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # C: the larger, the less is held back
INNER = 3
FALLBACK = 1e-2  # the penalty where there are too few patients to choose one
HIDDEN = 64
_EPOCHS, _PATIENCE, _BATCH = 200, 10, 64
_STEPS, _TOLERANCE = 1000, 1e-6  # of L-BFGS

Vectors = NDArray[np.float32]
Bools = NDArray[np.bool_]
People = NDArray[np.int32]


@dataclass(frozen=True)
class Linear:
    """P(has it | x) = 1 / (1 + exp(−(x · weight + bias))), of vectors as they are stored. weight: (D,) float64."""

    weight: NDArray[np.float64]
    bias: float
    penalty: float

    def promise(self, vectors: Vectors) -> NDArray[np.float64]:
        """(n,) probabilities."""
        odds = np.asarray(vectors, dtype=np.float64) @ self.weight + self.bias
        found: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(odds / 2))
        return found


@dataclass(frozen=True)
class Perceptron:
    """One hidden layer of HIDDEN."""

    scale: StandardScaler
    network: MLPClassifier

    def promise(self, vectors: Vectors) -> NDArray[np.float64]:
        """(n,) probabilities."""
        found: NDArray[np.float64] = self.network.predict_proba(_scaled(self.scale, vectors))[:, 1].astype(np.float64)
        return found


def logistic(vectors: Vectors, y: Bools, people: People, seed: int, penalty: float | None = None) -> Linear:
    """L2 logistic regression of (n, D); penalty: C, else that with the least log loss on patients left out."""
    if penalty is None:
        penalty = _chosen(vectors, y, people, seed)
    scale = StandardScaler().fit(_exact(vectors))
    model = _regress(_scaled(scale, vectors), y, [penalty])[0]
    weight = model[0] / scale.scale_
    return Linear(weight, float(model[1] - scale.mean_ @ weight), penalty)


def mlp(vectors: Vectors, y: Bools, people: People, seed: int) -> Perceptron:
    """Adam, batches of 64, as many epochs as patients left out gain by."""
    inner = next(_splits(y, people, seed, 5), None)
    learn, check = inner if inner is not None else (np.arange(len(y)), None)
    scale = StandardScaler().fit(_exact(vectors[learn]))
    network = MLPClassifier(
        (HIDDEN,), alpha=1e-2, batch_size=min(_BATCH, len(learn)), learning_rate_init=1e-3, random_state=seed
    )
    known, watched = _scaled(scale, vectors[learn]), None if check is None else _scaled(scale, vectors[check])
    best, kept, since = np.inf, None, 0
    for _ in range(_EPOCHS if check is not None else 30):
        network.partial_fit(known, y[learn], classes=[False, True])
        if watched is None:
            continue
        loss = log_loss(y[check], network.predict_proba(watched), labels=[False, True])
        since += 1
        if loss < best:
            best, since = loss, 0
            kept = [layer.copy() for layer in (*network.coefs_, *network.intercepts_)]
        if since == _PATIENCE:
            break
    if kept is not None:
        network.coefs_, network.intercepts_ = kept[:2], kept[2:]
    return Perceptron(scale, network)


def _chosen(vectors: Vectors, y: Bools, people: People, seed: int) -> float:
    losses = []
    for learn, check in _splits(y, people, seed, INNER):
        scale = StandardScaler().fit(_exact(vectors[learn]))
        checked = _scaled(scale, vectors[check])
        found = _regress(_scaled(scale, vectors[learn]), y[learn], PENALTIES)
        losses.append([_loss(y[check], checked @ weight + bias) for weight, bias in found])
    return PENALTIES[int(np.mean(losses, axis=0).argmin())] if losses else FALLBACK


def _regress(
    vectors: NDArray[np.float64], y: Bools, penalties: Sequence[float]
) -> list[tuple[NDArray[np.float64], float]]:
    """Weights and bias for each penalty, each begun where the one before ended."""
    model = LogisticRegression(warm_start=True, max_iter=_STEPS, tol=_TOLERANCE)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the largest C on separable films: it is not chosen
        for penalty in penalties:
            with config_context(assume_finite=True, skip_parameter_validation=True):  # a fifth of a small fit's time
                model.set_params(C=penalty).fit(vectors, y)
            found.append((model.coef_[0].copy(), float(model.intercept_[0])))
    return found


def _splits(y: Bools, people: People, seed: int, parts: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Patient-disjoint (learn, check), both sides in each; none where patients are too few."""
    if min(len(np.unique(people[y == side])) for side in (True, False)) < parts:
        return
    makes = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    for learn, check in makes.split(np.zeros(len(y)), y, people):
        if 0 < y[learn].sum() < len(learn) and 0 < y[check].sum() < len(check):
            yield learn, check


def _scaled(scale: StandardScaler, vectors: Vectors) -> NDArray[np.float64]:
    found: NDArray[np.float64] = scale.transform(_exact(vectors))
    return found


def _exact(vectors: Vectors) -> NDArray[np.float64]:
    return np.asarray(vectors, dtype=np.float64)


def _loss(y: Bools, odds: NDArray[np.float64]) -> float:
    """Mean log loss."""
    return float(np.logaddexp(0.0, np.where(y, -odds, odds)).mean())
