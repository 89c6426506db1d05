"""Can a probe's promises be taken at their word? Brier score, expected calibration error, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics.calibration.fit import Bin, brier, ece
from services.analytics.estimate import Estimate
from services.analytics.probe.cross import Probed
from services.analytics.probe.draw import Task
from services.analytics.resample import means

BINS = 10


def errors(task: Task, promise: NDArray[np.float64], weight: NDArray[np.float64]) -> dict[str, Any]:
    """Of promises made out of fold: mean squared error with its interval, and ECE over ten equal bins."""
    missed = (promise - task.y) ** 2
    drawn = (weight @ missed) / weight.sum(axis=1)
    return {"brier": Estimate.of(brier(promise, task.y), drawn), "ece": ece(promise, task.y)}


def reliability(found: Sequence[Probed], classifier: str, seed: int) -> list[Bin]:
    """All tasks' promises in bins of equally many, and what came of them; intervals by patients."""
    promise = np.concatenate([one.promise[classifier] for one in found])
    y = np.concatenate([one.task.y for one in found])
    people = np.concatenate([one.task.people for one in found])
    parts = np.array_split(np.argsort(promise, kind="stable"), BINS)
    return [
        Bin(float(promise[part].mean()), means(y[part, None].astype(np.float64), people[part], seed)[0])
        for part in parts
        if len(part)
    ]
