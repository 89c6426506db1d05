"""Where outliers lie together: groups of them in the graph, and whole clusters that lie apart.

Scores by neighbours see a group only when it has fewer films than neighbours are counted; a larger one vouches for
itself. So each small cluster is asked, too, how far its films are from the nearest film outside of it.
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
SMALL = 0.2  # share of films beyond which a cluster is no group of outliers
APART = 2.0
_ASKED = 50  # films of a cluster


def groups(near: Graph, flagged: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Flagged films that are nearer to each other than to any ordinary film, through one another: rows of each group of
    at least `LEAST`, largest first."""
    place = np.full(len(near.ids), -1)
    place[flagged] = np.arange(len(flagged))
    to = place[near.ids[flagged]]
    before = np.logical_and.accumulate(to >= 0, axis=1)  # of a film's neighbours, those before the first ordinary one
    start, column = np.nonzero(before)
    size = (len(flagged), len(flagged))
    edges = sparse.csr_matrix((np.ones(len(start)), (start, to[start, column])), shape=size)
    _, member = connected_components(edges, directed=False)
    found = [np.sort(flagged[member == number]) for number in np.unique(member)]
    return sorted((rows for rows in found if len(rows) >= LEAST), key=lambda rows: (-len(rows), rows[0]))


@dataclass(frozen=True)
class Apart:
    """A cluster. gap: median distance from its films to the nearest film outside.  ratio: gap over the median distance
    from its films to the nearest film of another patient inside; of clusters amid others it is about 1."""

    cluster: int
    films: int
    gap: float
    ratio: float


def apart(unit: NDArray[np.float32], others: Graph, members: NDArray[np.int32], seed: int) -> list[Apart]:
    """Clusters of at most `SMALL` of the films, the one farthest from the rest first."""
    random = np.random.default_rng(seed)
    inside = members[others.ids] == members[:, None]
    nearest = np.where(inside, others.distances, np.inf).min(axis=1)
    found = []
    for cluster, films in enumerate(np.bincount(members)):
        rows = np.flatnonzero(members == cluster)
        if not LEAST <= films <= SMALL * len(members):
            continue
        rows = np.sort(random.choice(rows, min(_ASKED, films), replace=False))
        # Its own cluster stands for a patient whose films are left out.
        _, out = graph.exact(unit, 1, rows, patients=members)
        own = nearest[rows][np.isfinite(nearest[rows])]
        gap = float(np.median(out))
        found.append(Apart(cluster, int(films), gap, gap / max(float(np.median(own)), 1e-9) if len(own) else np.inf))
    return sorted(found, key=lambda one: -one.ratio)
