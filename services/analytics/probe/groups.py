"""Subgroups: does a probe do as well for some people as for the others?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.probe.cross import Probed
from services.analytics.probe.scores import Measured, Numbers, auroc
from services.analytics.retrieval.relevance import subgroups
from services.analytics.sample import Sample
from services.core.types import ImageRecord

LEAST = 10  # films with and without the finding in a subgroup, and outside it

Masks = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Gap:
    """One subgroup of one task. inside: AUROC among its films.  gap: inside less among all others."""

    task: tuple[str, str]
    group: str
    films: int
    people: NDArray[np.int32]
    inside: Measured
    gap: Measured


def masks(films: Sample, rows: NDArray[np.int64], records: Sequence[ImageRecord]) -> dict[str, NDArray[np.bool_]]:
    """Name → (n,) which films: by sex, age, view, dataset and race."""
    found = dict(subgroups(films, rows))
    race = np.array([record.race or "" for record in records], dtype=object)
    return found | {f"race {value}": race == value for value in sorted(set(race.tolist()) - {""})}


def gaps(probed: Probed, inside: Masks, weight: Numbers) -> list[Gap]:
    """Of the logistic probe, every subgroup with films enough. inside: of the task's films.  weight: (B, n)."""
    task, promise = probed.task, probed.promise["logistic"]
    found = []
    for name, mask in inside.items():
        if not all((part & (task.y == side)).sum() >= LEAST for part in (mask, ~mask) for side in (True, False)):
            continue
        mine, others = (_auroc(probed, np.flatnonzero(part), promise, weight) for part in (mask, ~mask))
        found.append(Gap(task.key, name, int(mask.sum()), np.unique(task.people[mask]), mine, mine.less(others)))
    return found


def _auroc(probed: Probed, part: NDArray[np.int64], promise: Numbers, weight: Numbers) -> Measured:
    """Over pairs of one fold: probes of two folds do not promise alike."""
    y, strata = probed.task.y[part], probed.task.fold[part].astype(np.int64)
    return Measured(auroc(y, promise[part], strata=strata), auroc(y, promise[part], weight[:, part], strata))
