"""What comes with a label: how well it can be told from a film's other facts alone, with no look at the film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.probe.draw import Task
from services.analytics.probe.scores import AUROC, Measured, Numbers, auroc, by_fold
from services.core.types import ImageRecord

NAMED = 0.6  # a fact is named when its AUROC is surely above
UNKNOWN = "unknown"

Facts = Mapping[str, NDArray[np.object_]]  # name → (n,) words


@dataclass(frozen=True)
class Shortcut:
    """fact: what alone tells the label so well, on patients it was not learned from."""

    task: Task
    fact: str
    values: int
    alone: Measured

    @property
    def named(self) -> bool:
        return self.alone.estimate.low > NAMED


def facts(records: Sequence[ImageRecord]) -> dict[str, NDArray[np.object_]]:
    """Of films in the order given, the facts that have two values or more."""
    columns: dict[str, list[str | None]] = {
        "dataset": [r.dataset for r in records],
        "view": [r.view for r in records],
        "orientation": [r.orientation for r in records],
        "sex": [r.sex for r in records],
        "age": [None if r.age is None else f"{int(r.age // 20) * 20}" for r in records],
        "race": [r.race for r in records],
        "modality": [r.modality for r in records],
        "manufacturer": [r.manufacturer for r in records],
        "device": [r.device for r in records],
        "institution": [r.institution for r in records],
        "size": [f"{r.rows} × {r.columns}" for r in records],
        "bits": [None if r.bits_stored is None else str(r.bits_stored) for r in records],
        "split": [r.split for r in records],
    }
    words: dict[str, NDArray[np.object_]] = {
        name: np.array([v or UNKNOWN for v in values], dtype=object) for name, values in columns.items()
    }
    return {name: values for name, values in words.items() if len(set(values.tolist())) > 1}


def find(task: Task, known: Facts, weight: Numbers) -> list[Shortcut]:
    """Of every fact with two values or more here, the best first. known: of the task's films.  weight: (B, n)."""
    found = []
    for fact, values in known.items():
        _, code = np.unique(values.astype(str), return_inverse=True)
        if code.max() == 0:
            continue
        promise = np.empty(len(task.y))
        for number in range(int(task.fold.max()) + 1):
            learn, test = task.fold != number, task.fold == number
            has = np.bincount(code[learn], task.y[learn], minlength=int(code.max()) + 1)
            films = np.bincount(code[learn], minlength=int(code.max()) + 1)
            promise[test] = ((has + 1) / (films + 2))[code[test]]
        found.append(Shortcut(task, fact, int(code.max()) + 1, by_fold(task.y, promise, task.fold, weight)[AUROC]))
    return sorted(found, key=lambda one: -one.alone.mean)


def within(task: Task, promise: Numbers, values: NDArray[np.object_], weight: Numbers) -> Measured:
    """AUROC over pairs of films with the same value of a fact, in the same fold."""
    _, code = np.unique(values.astype(str), return_inverse=True)
    strata = code.astype(np.int64) * 1000 + task.fold
    return Measured(auroc(task.y, promise, strata=strata), auroc(task.y, promise, weight, strata))
