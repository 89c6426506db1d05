"""What would wrong labels do? One finding is mislabelled on purpose, patient by patient, and everything measured again.

What is stated now is taken for the truth. The vectors do not change: what changes is what one reads into clusters, what
a classifier learns, and what is counted as relevant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import adjusted_mutual_info_score

from services.analytics import linear
from services.analytics.estimate import Estimate
from services.analytics.graph import Graph
from services.analytics.label_quality import confident
from services.analytics.probe.scores import auroc
from services.analytics.retrieval.measures import ndcg

DEPTH = 10
MOST = 4000  # films of an experiment
PURITY, ADJUSTED = "cluster purity", "cluster AMI"
PROBE, RIGHT = "probe AUROC", "probe accuracy"
MEASURED, TRUE = "nDCG@10, by the labels", "nDCG@10, in truth"
AT, RECALL, PRECISION = "precision@n", "recall", "precision"
MEASURES = (PURITY, ADJUSTED, PROBE, RIGHT, MEASURED, TRUE, AT, RECALL, PRECISION)


@dataclass(frozen=True)
class At:
    """One rate. films: mislabelled, on average.  found: measure → mean over repeats, with its 95 % interval (Student's
    t); of a rate of 0 there is nothing to be found again."""

    rate: float
    films: float
    found: dict[str, Estimate]


def experiment(
    unit: NDArray[np.float32],
    truth: NDArray[np.int32],
    patients: NDArray[np.int32],
    near: Graph,
    members: NDArray[np.int32],
    rates: Sequence[float],
    repeats: int,
    folds: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[At]:
    """truth: (n,) 0 and 1.  near: the graph of these films among other patients', at least DEPTH deep.  members: (n,)
    clusters. A rate of 0 comes first."""
    made: list[At] = []
    total = (len(rates) + 1) * repeats
    held = linear.penalty(unit, truth, patients, seed)  # one for all, so that rates differ by their labels alone
    for rate in (0.0, *rates):
        figures: list[dict[str, float]] = []
        wrong = []
        for repeat in range(repeats):
            random = np.random.default_rng([seed, repeat, round(rate * 1e6)])
            flipped = mislabelled(patients, rate, random)
            stated = np.where(flipped, 1 - truth, truth).astype(np.int32)
            # Every repeat deals folds of its own, the same at every rate.
            promise = linear.out_of_fold(unit, stated, patients, folds, seed + repeat, fixed=held)
            figures.append(measure(truth, stated, promise, near, members, patients))
            wrong.append(int(flipped.sum()))
            progress(len(made) * repeats + repeat + 1, total)
        made.append(At(rate, float(np.mean(wrong)), {m: over([f[m] for f in figures]) for m in MEASURES}))
    return made


def mislabelled(patients: NDArray[np.int32], rate: float, random: np.random.Generator) -> NDArray[np.bool_]:
    """(n,) films of `rate` of the patients, all of each."""
    people = np.unique(patients)
    chosen = random.permutation(people)[: round(rate * len(people))]
    return np.isin(patients, chosen)


def measure(
    truth: NDArray[np.int32],
    stated: NDArray[np.int32],
    promise: NDArray[np.float64],
    near: Graph,
    members: NDArray[np.int32],
    patients: NDArray[np.int32],
) -> dict[str, float]:
    """Every one of MEASURES. promise: (n, 2), learned from `stated` of other patients, and held against the truth."""
    flipped = stated != truth
    doubts = confident.doubt(stated, promise)
    worst = np.argsort(doubts.given, kind="stable")[: flipped.sum()]
    hit = (flipped & doubts.suspected).sum()
    return {
        PURITY: purity(members, stated),
        ADJUSTED: float(adjusted_mutual_info_score(stated, members)),
        PROBE: float(auroc(truth == 1, promise[:, 1])[0]),
        RIGHT: float(((promise[:, 1] >= 0.5) == (truth == 1)).mean()),
        MEASURED: retrieval(near, stated, stated, patients),
        TRUE: retrieval(near, truth, truth, patients),
        AT: float(flipped[worst].mean()) if flipped.any() else np.nan,
        RECALL: float(hit / flipped.sum()) if flipped.any() else np.nan,
        PRECISION: float(hit / doubts.suspected.sum()) if flipped.any() and doubts.suspected.any() else np.nan,
    }


def purity(members: NDArray[np.int32], states: NDArray[np.int32]) -> float:
    """Share of films whose state is the commonest of their cluster."""
    table = np.zeros((int(members.max()) + 1, 2))
    np.add.at(table, (members, states), 1)
    return float(table.max(axis=1).sum() / len(members))


def retrieval(near: Graph, asks: NDArray[np.int32], relevant: NDArray[np.int32], patients: NDArray[np.int32]) -> float:
    """Mean nDCG@10 of films with the finding, whose relevant films are other patients' with it."""
    rows = np.flatnonzero(asks == 1)
    gains = (relevant[near.ids[rows, :DEPTH]] == 1).astype(np.float32)
    own = np.bincount(patients, weights=relevant == 1, minlength=int(patients.max()) + 1)[patients[rows]]
    there = (relevant == 1).sum() - own
    ideal = (np.arange(DEPTH)[None, :] < there[:, None]).astype(np.float32)
    return float(np.nanmean(ndcg(gains, ideal, DEPTH)))


def over(values: Sequence[float]) -> Estimate:
    """The mean over repeats, and Student's 95 % interval of it, within 0 to 1 as all of MEASURES are (an AMI may be a
    little less)."""
    found = np.asarray(values, dtype=np.float64)
    found = found[np.isfinite(found)]
    if len(found) < 2:
        return Estimate(float("nan"), float("nan"), float("nan"))
    margin = float(stats.t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found)))
    mean = float(found.mean())
    return Estimate(mean, max(mean - margin, min(mean, 0.0)), min(mean + margin, 1.0))
