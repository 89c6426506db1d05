"""Probes in cross-validation over patients, their learning curve, and probes that meet another dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.analytics.probe import classify
from services.analytics.probe.classify import Linear, Perceptron
from services.analytics.probe.draw import Task
from services.analytics.probe.scores import Measured, Numbers, by_fold

SIZES = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
FIT: dict[str, Callable[..., Linear | Perceptron]] = {"logistic": classify.logistic, "mlp": classify.mlp}

Vectors = NDArray[np.float32]


@dataclass
class Probed:
    """What one model makes of one task. promise: classifier → (n,) probabilities, each by a probe of other patients.

    penalties: of logistic regression, by fold.  curve: films learned from → measure → figure, the last of all.
    """

    task: Task
    promise: dict[str, Numbers] = field(default_factory=dict)
    figures: dict[str, dict[str, Measured]] = field(default_factory=dict)
    penalties: list[float] = field(default_factory=list)
    curve: dict[int, dict[str, Measured]] = field(default_factory=dict)


def probe(vectors: Vectors, task: Task, classifiers: Sequence[str], seed: int, weight: Numbers) -> Probed:
    """vectors: (n, D), row i of the task's film i.  weight: (B, n), draws of its patients."""
    found = Probed(task)
    for name in classifiers:
        promise = np.full(len(task.y), np.nan)
        for number in range(int(task.fold.max()) + 1):
            learn, test = task.fold != number, task.fold == number
            fitted = FIT[name](vectors[learn], task.y[learn], task.people[learn], seed + number)
            promise[test] = fitted.promise(vectors[test])
            if isinstance(fitted, Linear):
                found.penalties.append(fitted.penalty)
        found.promise[name] = promise
        found.figures[name] = by_fold(task.y, promise, task.fold, weight)
    found.curve = curve(vectors, task, seed, weight)
    least = min(int((task.fold != number).sum()) for number in range(int(task.fold.max()) + 1))
    found.curve[least] = found.figures["logistic"]
    return found


def curve(vectors: Vectors, task: Task, seed: int, weight: Numbers) -> dict[int, dict[str, Measured]]:
    """Films learned from → figures of logistic regression on the same tests. Each size is a part of the next."""
    folds = range(int(task.fold.max()) + 1)
    least = min(int(2 * min(task.y[task.fold != n].sum(), (~task.y[task.fold != n]).sum())) for n in folds)
    found = {}
    for size in (size for size in SIZES if size <= 0.8 * least):
        promise = np.full(len(task.y), np.nan)
        for number in folds:
            learn, test = first(task, task.fold != number, size), task.fold == number
            fitted = classify.logistic(vectors[learn], task.y[learn], task.people[learn], seed + number)
            promise[test] = fitted.promise(vectors[test])
        found[size] = by_fold(task.y, promise, task.fold, weight)
    return found


def first(task: Task, among: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    """The films drawn first, as many of each side; a task's films are in the order drawn."""
    sides = [np.flatnonzero(among & (task.y == side))[: size // 2] for side in (True, False)]
    return np.sort(np.concatenate(sides))


def whole(vectors: Vectors, task: Task, seed: int, without: NDArray[np.int32] | None = None) -> Linear:
    """Logistic regression on all films of a task, but for those of the people `without`."""
    learn = np.ones(len(task.y), bool) if without is None else ~np.isin(task.people, without)
    return classify.logistic(vectors[learn], task.y[learn], task.people[learn], seed)
