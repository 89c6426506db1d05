"""Confident learning (Northcutt, Jiang & Chuang 2021), by cleanlab: which labels a classifier that never saw the
patient contradicts as surely as it usually knows films of the other class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from cleanlab.count import estimate_joint
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray

from services.analytics.graph import Graph


@dataclass(frozen=True)
class Doubts:
    """Of n films stated present or absent. given: (n,) probability of what is stated; the lower, the more doubtful.
    suspected: (n,) bool.  joint: (2, 2) share of films by stated (row) and true (column) state, absent first, as
    estimated."""

    given: NDArray[np.float64]
    suspected: NDArray[np.bool_]
    joint: NDArray[np.float64]

    @property
    def order(self) -> NDArray[np.int64]:
        """The films, the suspected first, then the most doubtful."""
        return np.lexsort((self.given, ~self.suspected))

    def wrong(self, stated: int) -> float:
        """Estimated share of films stated so that are not."""
        return float(self.joint[stated, 1 - stated] / self.joint[stated].sum())


def doubt(stated: NDArray[np.int32], promise: NDArray[np.float64]) -> Doubts:
    """stated: (n,) 0 absent, 1 present.  promise: (n, 2) probabilities out of fold."""
    suspected = find_label_issues(stated, promise, filter_by="prune_by_noise_rate", n_jobs=1)
    joint = np.asarray(estimate_joint(stated, promise), dtype=np.float64)
    return Doubts(promise[np.arange(len(stated)), stated], np.asarray(suspected, dtype=bool), joint)


def votes(near: Graph, codes: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(N,) how many neighbours of each film state the finding, and the share of them that agree with the film; NaN
    where nobody votes. codes: (N,) 0 absent, 1 present; others do not vote."""
    known = (codes == 0) | (codes == 1)
    there = known[near.ids]
    count = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        agree = (there & (codes[near.ids] == codes[:, None])).sum(axis=1) / count
    return count, np.where(known, agree, np.nan)
