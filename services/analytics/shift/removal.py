"""What it costs to take an axis out of the vectors by LEACE: of itself, and of every finding.

Probes: in each fold the eraser is learned from the films the probe learns from, and the films left out only pass
through it. Neighbours: the eraser is learned from all films, and vectors are normalised anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics import graph, linear
from services.analytics.agreement import Agreement, agreement
from services.analytics.estimate import Estimate
from services.analytics.graph import Graph
from services.analytics.linear import Reading, Vectors
from services.analytics.progress import Progress
from services.analytics.resample import means
from services.analytics.retrieval.measures import ndcg
from services.analytics.shift import leace
from services.analytics.shift.axes import Axis

DEPTH = 10


@dataclass(frozen=True)
class Cost:
    """Before, after, and after − before over the same draws of patients. films: measured."""

    name: str
    films: int
    before: Estimate
    after: Estimate
    change: Estimate


@dataclass(frozen=True)
class Removal:
    """axis: AUROC of the axis itself.  near, near_after: do neighbours share its value?  probes, answers: AUROC and
    nDCG@10 of findings."""

    name: str
    films: int
    axis: Cost
    near: Agreement | None
    near_after: Agreement | None
    probes: list[Cost]
    answers: list[Cost]


def remove(
    unit: Vectors,
    axis: Axis,
    findings: Mapping[str, NDArray[np.int8]],
    patients: NDArray[np.int32],
    k: int,
    folds: int,
    seed: int,
    progress: Progress,
    stage: str,
) -> Removal:
    """On the films whose place on the axis is known. findings: name → (N,) codes, 0 absent, 1 present."""
    rows = linear.some(axis.rows, linear.MOST, seed)
    x, codes, people = np.asarray(unit[rows]), axis.codes[rows], patients[rows]
    whole = leace.fit(x, codes)(x)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    depth = max(k, DEPTH)
    near = graph.build(x, depth, seed, progress, stage, patients=people)
    after = graph.build(whole, depth, seed, progress, f"{stage}, after", patients=people)
    probes, answers = [], []
    for done, (name, said) in enumerate(findings.items()):
        progress(f"{stage}: findings", done, len(findings))
        y = np.where((said[rows] == 0) | (said[rows] == 1), said[rows], -1).astype(np.int32)
        judged = np.flatnonzero(y >= 0)
        if not linear.enough(y[judged], people[judged], folds):
            continue
        probes.append(_probe(name, x, y, codes, people, folds, seed))
        answers.append(_answers(name, near, after, y, people, seed))
    return Removal(
        axis.name, len(rows), _probe(axis.name, x, codes, codes, people, folds, seed),
        agreement(near, codes, people, finding=False), agreement(after, codes, people, finding=False), probes, answers,
    )  # fmt: skip


def _probe(
    name: str,
    unit: Vectors,
    y: NDArray[np.int32],
    codes: NDArray[np.int32],
    patients: NDArray[np.int32],
    folds: int,
    seed: int,
) -> Cost:
    """y: (N,), −1 not judged. The eraser of a fold learns from all films of patients that are not tested in it, judged
    or not: a finding may be stated along a part of the axis alone."""
    judged = np.flatnonzero(y >= 0)
    x, said, people = unit[judged], y[judged], patients[judged]

    def erase(learn: NDArray[np.int64]) -> Callable[[Vectors], Vectors]:
        tested = np.setdiff1d(people, people[learn])
        rows = ~np.isin(patients, tested)
        return leace.fit(unit[rows], codes[rows])

    before, after = (
        linear.reading(said, linear.out_of_fold(x, said, people, folds, seed, change), people, seed)
        for change in (None, erase)
    )
    return _cost(name, len(judged), before, after)


def _cost(name: str, films: int, before: Reading, after: Reading) -> Cost:
    return Cost(name, films, before.estimate, after.estimate, after.less(before))


def _answers(
    name: str, near: Graph, after: Graph, y: NDArray[np.int32], patients: NDArray[np.int32], seed: int
) -> Cost:
    rows = np.flatnonzero(y == 1)
    found = np.column_stack([answered(one, y, patients) for one in (near, after)])
    both = np.column_stack([found, found[:, 1] - found[:, 0]])
    return Cost(name, len(rows), *means(both, patients[rows], seed))


def answered(near: Graph, y: NDArray[np.int32], patients: NDArray[np.int32]) -> NDArray[np.float64]:
    """(Q,) nDCG of each film with the finding, over its DEPTH nearest that state it (1) or its absence (0): films not
    judged (−1) are taken out of answers first, which may leave fewer."""
    rows = np.flatnonzero(y == 1)
    states = y[near.ids[rows]]
    order = np.argsort(states < 0, axis=1, kind="stable")[:, :DEPTH]
    gains = (np.take_along_axis(states, order, axis=1) == 1).astype(np.float32)
    there = (y == 1).sum() - np.bincount(patients, weights=y == 1, minlength=int(patients.max()) + 1)[patients[rows]]
    ideal = (np.arange(gains.shape[1])[None, :] < there[:, None]).astype(np.float32)
    return ndcg(gains, ideal, DEPTH)
