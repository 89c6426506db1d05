"""Clusters of patients, how many there are, and whether they come back.

As in clusterboot (Hennig 2007): patients are drawn with replacement, each once (63 % of them), and clustered anew in
the same space; each cluster looks for the one that is most like it by Jaccard among the patients drawn. The mean over
draws is its stability; the words for it are those of `structure.stability`. How many clusters: the most of which three
quarters of the patients lie in stable ones, and none is below 0.6. Over seeds the whole way is gone again, with the
autoencoder trained anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from services.analytics import cluster, fuzzy, linear
from services.analytics.graph import Graph
from services.analytics.structure.stability import DOUBTFUL, ENOUGH, STABLE, jaccard, rand

RESOLUTIONS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
SMALLEST = 5  # patients of a cluster that is worth its name
SEEDS = 3
CLOUDS = 99
MOST_DRAWN = 5_000  # patients of one draw

Numbers = NDArray[np.float64]
Members = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Clusters of one method in one space. setting: how many were asked for, or the resolution.  members: (P,), 0 the
    largest.  jaccard: (C,) stability of each.  seeds: mean adjusted Rand index between seeds.  tried: setting →
    (clusters, share of patients in stable ones)."""

    space: str
    method: str
    setting: float
    members: Members
    jaccard: Numbers
    seeds: float
    tried: dict[float, tuple[int, float]]

    @property
    def sizes(self) -> NDArray[np.int64]:
        return np.bincount(self.members)

    @property
    def in_stable(self) -> float:
        """Share of patients."""
        return float(self.sizes[self.jaccard >= STABLE].sum() / len(self.members))

    @property
    def mean(self) -> float:
        return float(np.average(self.jaccard, weights=self.sizes))

    @property
    def stable(self) -> bool:
        """Three quarters of the patients in stable clusters, and no cluster that is not to be trusted."""
        return len(self.sizes) > 1 and self.in_stable >= ENOUGH and float(self.jaccard.min()) >= DOUBTFUL

    @property
    def name(self) -> str:
        return f"{self.space}, {self.method}"


def find(
    space: str,
    method: str,
    points: Callable[[int], Numbers],
    most: int,
    k: int,
    draws: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> Grouping:
    """points: seed → where the patients lie, (P, F).  most: clusters.  k: neighbours, of Leiden."""
    here = points(seed)
    settings = RESOLUTIONS if method == "leiden" else [float(n) for n in range(2, min(most, len(here) // SMALLEST) + 1)]
    whole = [split(here, method, setting, k, seed) for setting in settings]
    like = [np.zeros((2, int(one.max()) + 1)) for one in whole]
    random = np.random.default_rng(seed)
    for draw in range(draws):
        progress(draw, draws)
        rows = linear.some(np.unique(random.integers(0, len(here), len(here))), MOST_DRAWN, seed + draw)
        for setting, one, sums in zip(settings, whole, like, strict=True):
            again = split(here[rows], method, setting, k, seed + draw, few=True)
            met = np.bincount(one[rows], minlength=sums.shape[1]) > 0
            sums += [np.where(met, jaccard(one[rows], again, sums.shape[1]).max(axis=1), 0.0), met]
    progress(draws, draws)
    steady = [sums[0] / np.maximum(sums[1], 1) for sums in like]
    found = [
        Grouping(space, method, setting, one, sure, float("nan"), {})
        for setting, one, sure in zip(settings, whole, steady, strict=True)
    ]
    best = choose(found)
    others = [split(points(seed + n), method, best.setting, k, seed + n) for n in range(1, SEEDS)]
    every = [best.members, *others]
    agree = float(np.mean([rand(a, b) for n, a in enumerate(every) for b in every[:n]]))
    tried = {one.setting: (len(one.sizes), one.in_stable) for one in found}
    return Grouping(space, method, best.setting, best.members, best.jaccard, agree, tried)


def choose(found: Sequence[Grouping]) -> Grouping:
    """The finest that is stable and has no cluster of a few patients; where none is, the steadiest."""
    several = [one for one in found if len(one.sizes) > 1 and one.sizes.min() >= SMALLEST]
    several = several or [one for one in found if len(one.sizes) > 1] or list(found)
    sure = [one for one in several if one.stable]
    return (
        max(sure, key=lambda o: (len(o.sizes), o.mean)) if sure else max(several, key=lambda o: (o.in_stable, o.mean))
    )


def steadiest(found: Sequence[Grouping]) -> Grouping:
    """Of several methods in one space; no outcome is looked at."""
    return max(found, key=lambda one: (one.stable, one.in_stable, one.mean))


def split(points: Numbers, method: str, setting: float, k: int, seed: int, few: bool = False) -> Members:
    """(P,) clusters, numbered by size. few: starts, where it is done many times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different points than clusters
        if method == "leiden":
            near = min(k, len(points) - 1)
            return cluster.leiden(fuzzy.weights(_graph(points, near)), setting, seed).members
        if method == "gmm":
            spread = float(points.var(axis=0).mean())
            made = GaussianMixture(
                int(setting), covariance_type="diag", reg_covar=max(1e-2 * spread, 1e-6), n_init=1 if few else 5,
                random_state=seed,
            )  # fmt: skip
            return cluster.by_size(made.fit_predict(points))
        return cluster.by_size(KMeans(int(setting), n_init=2 if few else 10, random_state=seed).fit_predict(points))


def one_cloud(points: Numbers, seed: int) -> float:
    """p of so tight a split in two (k-means, sum of squares within over all), were the patients one normal cloud of
    their covariance: SigClust's question (Liu et al. 2008), the covariance taken as it was measured."""

    def tight(some: Numbers) -> float:
        made = KMeans(2, n_init=2, random_state=seed).fit(some)
        return float(made.inertia_ / ((some - some.mean(axis=0)) ** 2).sum())

    random = np.random.default_rng(seed)
    centred = points - points.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    spread /= np.sqrt(max(len(points) - 1, 1))
    here = tight(centred)
    clouds = [tight((random.standard_normal((len(points), len(spread))) * spread) @ axes) for _ in range(CLOUDS)]
    return float((1 + sum(one <= here for one in clouds)) / (CLOUDS + 1))


def _graph(points: Numbers, k: int) -> Graph:
    away, ids = NearestNeighbors(n_neighbors=k).fit(points).kneighbors()
    return Graph(ids.astype(np.int32), away.astype(np.float32), "exact", 1.0, len(points))
