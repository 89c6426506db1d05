"""The 2-D map: UMAP's layout of the run's graph, from a PCA start.

One thread, so that the same seed draws the same map.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

MIN_DIST = 0.1
SPREAD = 1.0
_BLOCK = 50_000


def epochs(films: int) -> int:
    """UMAP's own choice: more rounds for small samples."""
    return 500 if films <= 10_000 else 200


def project(
    graph: sparse.csr_matrix, unit: NDArray[np.float32], seed: int, progress: Callable[[int, int], None]
) -> NDArray[np.float32]:
    """(N, 2) float32 coordinates. `graph`: (N, N) symmetric weights; `unit`: (N, D) float32 for the start."""
    from umap.layouts import optimize_layout_euclidean
    from umap.umap_ import find_ab_params

    rounds = epochs(len(unit))
    edges = graph.tocoo()
    keep = edges.data >= edges.data.max() / rounds  # the others would never be drawn
    head, tail, strength = edges.row[keep], edges.col[keep], edges.data[keep]
    each = (strength.max() / strength).astype(np.float64)  # an edge is drawn once in so many rounds
    a, b = find_ab_params(SPREAD, MIN_DIST)
    random = np.random.RandomState(seed)
    place = _start(unit, random)
    state = random.randint(np.iinfo(np.int32).min + 1, np.iinfo(np.int32).max - 1, 3).astype(np.int64)
    place = optimize_layout_euclidean(
        place, place, head.astype(np.int32), tail.astype(np.int32), rounds, len(unit), each, a, b, state,
        parallel=False, verbose=True, move_other=True,
        tqdm_kwds={"file": _Rounds(rounds, progress), "bar_format": "{n}", "mininterval": 0.3},
    )  # fmt: skip
    progress(rounds, rounds)
    return np.ascontiguousarray(place - place.mean(axis=0), dtype=np.float32)


def pca(unit: NDArray[np.float32], dimensions: int = 2) -> NDArray[np.float32]:
    """(N, d) principal components, each signed so that its largest loading is positive: the same on every machine."""
    mean = unit.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((unit.shape[1], unit.shape[1]))
    for start in range(0, len(unit), _BLOCK):
        block = unit[start : start + _BLOCK] - mean
        covariance += block.T @ block
    _, axes = np.linalg.eigh(covariance)
    axes = axes[:, ::-1][:, :dimensions]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dimensions)])
    return np.asarray((unit - mean.astype(np.float32)) @ axes.astype(np.float32), dtype=np.float32)


def _start(unit: NDArray[np.float32], random: np.random.RandomState) -> NDArray[np.float32]:
    place = pca(unit)
    place = place * (10.0 / max(float(np.abs(place).max()), 1e-12))
    place += random.normal(scale=1e-4, size=place.shape)  # duplicates must not start in one point
    low, high = place.min(axis=0), place.max(axis=0)
    return np.ascontiguousarray(10.0 * (place - low) / np.maximum(high - low, 1e-12), dtype=np.float32)


class _Rounds(io.TextIOBase):
    """What umap's progress bar writes, read as the number of the round."""

    def __init__(self, rounds: int, progress: Callable[[int, int], None]) -> None:
        self._rounds = rounds
        self._progress = progress

    def write(self, text: str) -> int:
        if text.strip().isdecimal():
            self._progress(int(text), self._rounds)
        return len(text)
