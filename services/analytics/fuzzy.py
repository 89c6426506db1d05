"""kNN graph → weighted undirected graph: the fuzzy simplicial set of UMAP (McInnes et al. 2018, algorithms 2 and 3).

Written as array operations, so that it needs no compiling; equal to umap-learn's to rounding (tested). Leiden and the
map both work on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.analytics.graph import Graph

_STEPS = 64
_SMALLEST = 1e-3  # of the mean distance: bandwidths do not shrink below it


def weights(graph: Graph) -> sparse.csr_matrix:
    """(N, N) float32, symmetric: how surely two films are neighbours, 0 to 1."""
    distances = graph.distances.astype(np.float64)
    films, k = distances.shape
    rho = np.where(distances > 0, distances, np.inf).min(axis=1)
    rho[np.isinf(rho)] = 0.0  # all neighbours are duplicates
    beyond = np.maximum(distances - rho[:, None], 0.0)
    sigma = _bandwidth(beyond, np.log2(k + 1))
    with_itself = distances.sum(axis=1) / (k + 1)
    floor = np.where(rho > 0, with_itself, distances.sum() / (films * (k + 1))) * _SMALLEST
    sigma = np.maximum(sigma, floor)
    member = np.exp(-beyond / np.where(sigma > 0, sigma, 1.0)[:, None])
    rows = np.repeat(np.arange(films), k)
    directed = sparse.csr_matrix((member.ravel(), (rows, graph.ids.ravel())), shape=(films, films), dtype=np.float32)
    back = directed.T.tocsr()
    union = (directed + back - directed.multiply(back)).tocsr()
    union.eliminate_zeros()
    union.sort_indices()
    return union


def _bandwidth(beyond: NDArray[np.float64], target: float) -> NDArray[np.float64]:
    """(N,) sigma such that the memberships exp(−beyond/sigma) of each row sum to `target`, by bisection."""
    low = np.zeros(len(beyond))
    high = np.full(len(beyond), np.inf)
    sigma = np.ones(len(beyond))
    moving = np.arange(len(beyond))
    for _ in range(_STEPS):
        total = np.exp(-beyond[moving] / sigma[moving, None]).sum(axis=1)
        off = np.abs(total - target) >= 1e-5
        moving, total = moving[off], total[off]
        if not len(moving):
            break
        wide = total > target
        high[moving[wide]] = sigma[moving[wide]]
        low[moving[~wide]] = sigma[moving[~wide]]
        middle = (low[moving] + high[moving]) / 2
        sigma[moving] = np.where(np.isinf(high[moving]), sigma[moving] * 2, middle)
    return sigma
