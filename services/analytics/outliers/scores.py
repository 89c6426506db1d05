"""Three ways of being far from all others, and how far they agree.

knn: distance to a film's k-th nearest (Ramaswamy et al. 2000).  lof: how much thinner it is
around a film than around its neighbours (Breunig et al. 2000).  forest: how few random cuts set it apart (Liu et al.
2008), on at most 64 principal components. Neighbours are of other patients: a strange patient's films do not vouch for
each other. All are higher for stranger films.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from services.analytics import jackknife, layout
from services.analytics.estimate import Estimate
from services.analytics.graph import Graph

KNN, LOF, FOREST = "kNN distance", "local outlier factor", "isolation forest"
COMPONENTS = 64
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """values: name → (N,).  strange: (N,) the share of films that are less strange, 0 to 1, by the middle one of the
    three scores: at least two hold a film so strange, and one that is blind to it takes nothing away.  flagged: rows of
    the strangest films by that, strangest first."""

    values: dict[str, Values]
    strange: Values
    flagged: NDArray[np.int64]

    def top(self, name: str) -> NDArray[np.int64]:
        """As many rows as are flagged, by one score alone."""
        return _first(self.values[name], len(self.flagged))


def score(unit: NDArray[np.float32], others: Graph, flagged: int, trees: int, seed: int) -> Scores:
    """unit: (N, D) float32, L2-normalised.  others: neighbours of other patients."""
    values = {KNN: knn(others), LOF: lof(others), FOREST: forest(unit, trees, seed)}
    shares = [(stats.rankdata(one) - 1) / max(len(one) - 1, 1) for one in values.values()]
    strange = np.median(shares, axis=0)
    return Scores(values, strange, _first(strange, flagged))


def knn(others: Graph) -> Values:
    """(N,) cosine distance to the k-th neighbour: fewer than k strange films together do not hide each other."""
    return others.distances[:, -1].astype(np.float64)


def lof(others: Graph) -> Values:
    """(N,) mean local reachability density of the neighbours over the film's own; about 1 amid others."""
    distances = others.distances.astype(np.float64)
    reach = np.maximum(distances, distances[:, -1][others.ids])
    density = 1.0 / (reach.mean(axis=1) + 1e-10)  # of duplicates it would be without bound
    found: Values = density[others.ids].mean(axis=1) / density
    return found


def forest(unit: NDArray[np.float32], trees: int, seed: int) -> Values:
    """(N,) anomaly score 2^(−E(h)/c), about 0.5 amid others, 1 at the strangest."""
    from sklearn.ensemble import IsolationForest

    main = layout.pca(unit, min(COMPONENTS, *unit.shape))
    grown = IsolationForest(n_estimators=trees, random_state=seed, n_jobs=1).fit(main)
    found: Values = -grown.score_samples(main)
    return found


@dataclass(frozen=True)
class Agreement:
    """Two scores. spearman: of all films.  shared: films that both have among their strangest, of `of`."""

    one: str
    other: str
    spearman: Estimate
    shared: int
    of: int


def agreement(values: dict[str, Values], of: int, patients: NDArray[np.int32], seed: int) -> list[Agreement]:
    """Each two of some scores, by all films and by the `of` strangest."""
    group = jackknife.groups(patients, seed)
    left = [group != number for number in range(int(group.max()) + 1)]
    found = []
    for one, other in combinations(values, 2):
        a, b = values[one], values[other]
        spearman = jackknife.estimate(_rank(a, b), [_rank(a[keep], b[keep]) for keep in left])
        shared = len(np.intersect1d(_first(a, of), _first(b, of)))
        found.append(Agreement(one, other, spearman, shared, of))
    return found


def _rank(a: Values, b: Values) -> float:
    return float(stats.spearmanr(a, b).statistic)


def _first(value: Values, count: int) -> NDArray[np.int64]:
    return np.argsort(-value, kind="stable")[:count]
