"""Where outliers lie together: groups of them in the graph, and whole clusters that lie apart.

Scores by neighbours hardly see a group of as many films as neighbours are counted: they vouch for each other. So each
small cluster is asked, too, how far its films are from the nearest film outside of it, and whether they look odd.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from services.analytics import graph
from services.analytics.graph import Graph

LEAST = 3  # films that make a group
SMALL = 0.05  # share of films beyond which a cluster is no group of outliers
FINE = 3.0  # Leiden's resolution: groups of outliers are small
APART = 1.25
_ASKED = 50  # films of a cluster


def groups(near: Graph, flagged: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Flagged films that are nearer to each other than to any ordinary film, through one another: rows of each group of
    at least `LEAST`, largest first."""
    place = np.full(len(near.ids), -1)
    place[flagged] = np.arange(len(flagged))
    to, distances = place[near.ids[flagged]], near.distances[flagged]
    ordinary = np.where(to < 0, distances, np.inf).min(axis=1)  # to the nearest ordinary film, if that is a neighbour
    nearer = (to >= 0) & (distances < ordinary[:, None]) & (distances < ordinary[to])
    start, column = np.nonzero(nearer)
    size = (len(flagged), len(flagged))
    edges = sparse.csr_matrix((np.ones(len(start)), (start, to[start, column])), shape=size)
    _, member = connected_components(edges, directed=False)
    found = [np.sort(flagged[member == number]) for number in np.unique(member)]
    return sorted((rows for rows in found if len(rows) >= LEAST), key=lambda rows: (-len(rows), rows[0]))


@dataclass(frozen=True)
class Apart:
    """A cluster. gap: median distance from its films to the nearest film outside.  ratio: gap over that of the median
    film's cluster; 1 is usual.  looked, odd: films whose pictures were looked at, and those that look odd."""

    cluster: int
    films: int
    gap: float
    ratio: float
    looked: int
    odd: int

    @property
    def strange(self) -> bool:
        """Do most of its films look odd?"""
        return self.looked >= LEAST and 2 * self.odd > self.looked


def apart(unit: NDArray[np.float32], members: NDArray[np.int32], odd: NDArray[np.int8], seed: int) -> list[Apart]:
    """Clusters of at most `SMALL` of the films: those that look odd first, then the farthest from the rest. odd: (N,) 1
    looks odd, 0 does not, −1 not looked at."""
    random = np.random.default_rng(seed)
    sizes = np.bincount(members)
    if len(sizes) < 2:
        return []
    gaps = np.empty(len(sizes))
    for cluster, films in enumerate(sizes):
        rows = np.sort(random.choice(np.flatnonzero(members == cluster), min(_ASKED, films), replace=False))
        _, out = graph.exact(unit, 1, rows, patients=members)  # its own cluster stands for a patient left out
        gaps[cluster] = np.median(out)
    usual = float(np.median(gaps[members]))
    found = [
        Apart(
            cluster, int(films), float(gaps[cluster]), float(gaps[cluster] / max(usual, 1e-9)),
            int((odd[members == cluster] >= 0).sum()), int((odd[members == cluster] == 1).sum()),
        )
        for cluster, films in enumerate(sizes)
        if LEAST <= films <= max(SMALL * len(members), LEAST)
    ]  # fmt: skip
    return sorted(found, key=lambda one: (not one.strange, -one.ratio))
