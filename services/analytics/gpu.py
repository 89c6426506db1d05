"""Neighbours, clusters and maps on an NVIDIA card, by RAPIDS cuML and cuGraph, where somebody asks for it.

    HILUM_ANALYTICS_GPU=1 with the extra `gpu` (cuml, cugraph, of the card's CUDA) in the environment of the service

**Untried**: no machine with a card was at hand, so nothing here was ever run but the way back. Every function gives
None where the card is not asked for, the libraries are missing, or they fail; the caller then does the work on the
processor. What comes out is of the same types, but not the same to the last bit, and not the same again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.core.logs import get_logger

T = TypeVar("T")
VARIABLE = "HILUM_ANALYTICS_GPU"

log = get_logger("analytics")


def neighbours(unit: NDArray[np.float32], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """ids and cosine distances, (N, k) each, by comparing all films. unit: (N, D) float32, L2-normalised."""

    def work() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        from cuml.neighbors import NearestNeighbors

        found = NearestNeighbors(n_neighbors=k + 1, algorithm="brute", metric="cosine", output_type="numpy").fit(unit)
        far, near = found.kneighbors(unit)
        itself = near == np.arange(len(unit))[:, None]
        itself[~itself.any(axis=1), -1] = True  # among duplicates it may be missing
        ids = near[~itself].reshape(len(unit), k).astype(np.int32)
        return ids, np.clip(far[~itself].reshape(len(unit), k), 0.0, 2.0).astype(np.float32)

    return _tried(work)


def leiden(graph: sparse.csr_matrix, resolution: float, seed: int) -> NDArray[np.int64] | None:
    """(N,) communities. graph: (N, N) symmetric weights."""

    def work() -> NDArray[np.int64]:
        import cudf
        import cugraph

        half = sparse.triu(graph, k=1).tocoo()
        edges = cudf.DataFrame({"src": half.row, "dst": half.col, "weight": half.data.astype(np.float32)})
        network = cugraph.Graph()
        network.from_cudf_edgelist(edges, source="src", destination="dst", weight="weight")
        parts, _ = cugraph.leiden(network, resolution=resolution, random_state=seed)
        told = parts.to_pandas().set_index("vertex")["partition"]
        alone = int(told.max()) + 1 + np.arange(graph.shape[0])  # films without an edge are in no part
        found: NDArray[np.int64] = told.reindex(np.arange(graph.shape[0])).fillna(-1).to_numpy(np.int64)
        return np.where(found < 0, alone, found)

    return _tried(work)


def _tried(work: Callable[[], T]) -> T | None:
    if os.environ.get(VARIABLE) != "1":
        return None
    try:
        return work()
    except Exception as error:  # no library, no card, no memory on it: the processor does it
        log.warning("gpu.failed", error_type=type(error).__name__)
        return None
