"""Leiden communities of the run's graph.

igraph and leidenalg are GPL; this module is the one place that imports them, so that another engine can take their
place. On 100k films igraph is as good as leidenalg in a seventh of the time (docs/decisions/0005).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.analytics import gpu
from services.core.errors import invalid

ENGINES = ("igraph", "leidenalg")
MANY = 10_000  # films whose clusters are worth a card


@dataclass(frozen=True)
class Partition:
    """members: (N,) int32 cluster of each film, 0 the largest.  modularity: of this partition at resolution 1."""

    members: NDArray[np.int32]
    modularity: float

    @property
    def sizes(self) -> list[int]:
        return np.bincount(self.members).tolist()


def leiden(graph: sparse.csr_matrix, resolution: float, seed: int, engine: str = "igraph") -> Partition:
    """Communities that maximise modularity at `resolution`. `graph`: (N, N) symmetric weights.

    The same seed gives the same clusters. Raises INVALID_ARGUMENT for an engine there is not.
    """
    if engine not in ENGINES:
        raise invalid(f"the Leiden engine is one of {', '.join(ENGINES)}")
    import igraph

    half = sparse.triu(graph, k=1).tocoo()
    # Of a list igraph makes a graph in a third of the time that it needs for an array.
    network = igraph.Graph(n=graph.shape[0], edges=list(zip(half.row.tolist(), half.col.tolist(), strict=True)))
    strength = half.data.astype(np.float64)
    on_card = gpu.leiden(graph, resolution, seed) if engine == "igraph" and graph.shape[0] > MANY else None
    if on_card is not None:
        found = on_card.tolist()
    elif engine == "igraph":
        igraph.set_random_number_generator(random.Random(seed))
        found = network.community_leiden(
            objective_function="modularity", weights=strength, resolution=resolution, n_iterations=2
        ).membership
    else:
        import leidenalg

        found = leidenalg.find_partition(
            network, leidenalg.RBConfigurationVertexPartition, weights=strength, resolution_parameter=resolution,
            n_iterations=2, seed=seed,
        ).membership  # fmt: skip
    members = by_size(np.asarray(found))
    return Partition(members, float(network.modularity(members.tolist(), weights=strength)))


def by_size(members: NDArray[np.int64]) -> NDArray[np.int32]:
    """Number clusters by size, largest first; among equals the one with the earlier film."""
    names, first, position, sizes = np.unique(members, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), dtype=np.int32)
    rank[np.lexsort((first, -sizes))] = np.arange(len(names))
    return rank[position]
