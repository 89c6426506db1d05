"""How probes stand augmentation: learned from originals or from all variants, asked on each variant.

All variants of a film are in its fold. The penalty is the one that was chosen in the fold on stored vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics.probe import classify
from services.analytics.probe.augment import ORIGINAL, VARIANTS, Varied
from services.analytics.probe.cross import Probed
from services.analytics.probe.scores import Measured, Numbers, by_fold

EVERY = "all six"  # as the study has it: learned from and asked on every variant


@dataclass(frozen=True)
class Robust:
    """figures: (learned from: ORIGINAL or EVERY, asked on: a variant or EVERY) → measure → figure."""

    task: tuple[str, str]
    films: int
    figures: dict[tuple[str, str], dict[str, Measured]]


def evaluate(probed: Probed, varied: Varied, place: NDArray[np.int64], weight: Numbers) -> Robust | None:
    """place: (n,) the task's films in `varied`.  weight: (B, n). None where films without picture leave a fold with one
    side only."""
    task, names = probed.task, list(VARIANTS)
    kept = np.flatnonzero(varied.there[place])
    y, fold, drawn = task.y[kept], task.fold[kept], weight[:, kept]
    folds = range(int(task.fold.max()) + 1)
    if any(len(set(y[fold == number].tolist())) < 2 for number in folds):
        return None
    units: Any = varied.units[:, place[kept]]
    promise = {(learned, name): np.full(len(kept), np.nan) for learned in (ORIGINAL, EVERY) for name in names}
    for number in folds:
        learn, test = fold != number, fold == number
        people = task.people[kept][learn]
        for learned, of in ((ORIGINAL, units[:1, learn]), (EVERY, units[:, learn])):
            fitted = classify.logistic(
                of.reshape(-1, units.shape[2]), np.tile(y[learn], len(of)), np.tile(people, len(of)), 0,
                probed.penalties[number],
            )  # fmt: skip
            for variant, name in enumerate(names):
                promise[learned, name][test] = fitted.promise(units[variant, test])
    figures = {key: by_fold(y, found, fold, drawn) for key, found in promise.items()}
    for learned in (ORIGINAL, EVERY):
        every = np.concatenate([promise[learned, name] for name in names])
        figures[learned, EVERY] = by_fold(
            np.tile(y, len(names)), every, np.tile(fold, len(names)), np.tile(drawn, (1, len(names)))
        )
    return Robust(task.key, len(kept), figures)
