"""The 2-D map: UMAP's layout of the run's graph (McInnes et al. 2018, algorithm 5), from a PCA start.

umap-learn itself compiles for half a minute before its first point, because importing it brings pynndescent along; this
one compiles once, in seconds (`forces`). It draws as well (tested: trustworthiness of both, side by side), and the same
seed draws the same map, on any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from services.analytics import forces

_BLOCK = 50_000
_START = 10_000  # films, and up to as many again, whose principal axes the map starts from: of 100,000 they took 4 s
_MANY = 5_000  # films for which threads are worth waiting for one another


def epochs(films: int) -> int:
    """UMAP's own choice: more rounds for small samples."""
    return 500 if films <= 10_000 else 200


def project(
    graph: sparse.csr_matrix, unit: NDArray[np.float32], seed: int, progress: Callable[[int, int], None]
) -> NDArray[np.float32]:
    """(N, 2) float32 coordinates. `graph`: (N, N) symmetric weights; `unit`: (N, D) float32 for the start."""
    rounds = epochs(len(unit))
    random = np.random.default_rng(seed)
    drawing = _Drawing(graph, _start(unit, random), rounds, random)
    for now in range(rounds):
        drawing.round(now)
        progress(now + 1, rounds)
    return drawing.centred


def together(
    graphs: Sequence[sparse.csr_matrix],
    places: Sequence[NDArray[np.float32]],
    pull: float,
    seed: int,
    progress: Callable[[int, int], None],
) -> list[NDArray[np.float32]]:
    """Maps of the same films under several models, drawn at once so that a film stands in the same place on all, as far
    as its neighbours let it: (N, 2) float32 each.

    The idea is AlignedUMAP's (umap-learn 0.5): each map is drawn by its own graph, and in every round each film goes
    `pull` of the way towards where the other maps have it. places: (N, 2) each, maps to begin with, turned alike.
    """
    rounds = max(epochs(len(places[0])) // 2, 1)  # these begin with finished maps
    drawings = [
        _Drawing(graph, np.array(place, dtype=np.float32), rounds, np.random.default_rng([seed, number]))
        for number, (graph, place) in enumerate(zip(graphs, places, strict=True))
    ]
    for now in range(rounds):
        rate = 1.0 - now / rounds
        for drawing in drawings:
            drawing.round(now)
        middle = np.mean([drawing.place for drawing in drawings], axis=0, dtype=np.float32)
        many = len(drawings)
        for drawing in drawings:  # the middle of the others is as far off as the middle of all, and a little farther
            drawing.place += np.float32(pull * rate * many / (many - 1)) * (middle - drawing.place)
        progress(now + 1, rounds)
    return [drawing.centred for drawing in drawings]


class _Drawing:
    """A map that is being drawn: `place` (N, 2) float32, changed in place by each round."""

    def __init__(
        self, graph: sparse.csr_matrix, place: NDArray[np.float32], rounds: int, random: np.random.Generator
    ) -> None:
        strong = graph.copy()
        strong.data[strong.data < strong.data.max() / rounds] = 0.0  # these would never be drawn
        strong.eliminate_zeros()
        self.place, self._before, self._rounds = place, place.copy(), rounds
        self._starts, self._tail = strong.indptr.astype(np.int64), strong.indices
        self._often = (strong.data / strong.data.max()).astype(np.float32)  # the share of rounds that draw an edge
        self._seed = random.integers(1, 2**63, dtype=np.uint64)

    def round(self, now: int) -> None:
        self._before[:] = self.place
        rate = np.float32(1.0 - now / self._rounds)
        most = numba.get_num_threads()
        numba.set_num_threads(most if len(self.place) >= _MANY else 1)
        try:
            forces.round_(self.place, self._before, self._starts, self._tail, self._often, now, rate, self._seed)
        finally:
            numba.set_num_threads(most)

    @property
    def centred(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.place - self.place.mean(axis=0), dtype=np.float32)


def pca(unit: NDArray[np.float32], dimensions: int = 2) -> NDArray[np.float32]:
    """(N, d) principal components, each signed so that its largest loading is positive: the same on every machine."""
    return _onto(unit, *_principal(unit, dimensions))


def _principal(unit: NDArray[np.float32], dimensions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(D,) mean and (D, d) axes."""
    mean = unit.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((unit.shape[1], unit.shape[1]))
    for start in range(0, len(unit), _BLOCK):
        block = unit[start : start + _BLOCK] - mean
        covariance += block.T @ block
    width = len(covariance)
    _, axes = linalg.eigh(covariance, subset_by_index=[width - min(dimensions, width), width - 1])
    axes = axes[:, ::-1]
    return mean, axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])


def _onto(unit: NDArray[np.float32], mean: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(unit @ axes.astype(np.float32) - (mean @ axes).astype(np.float32), dtype=np.float32)


def _start(unit: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    some = unit[:: max(1, len(unit) // _START)]  # whatever the seed: maps of other seeds can be laid over one another
    place = _onto(unit, *_principal(some, 2))
    place = place * (10.0 / max(float(np.abs(place).max()), 1e-12))
    place += random.normal(scale=1e-4, size=place.shape)  # duplicates must not start in one point
    low, high = place.min(axis=0), place.max(axis=0)
    return np.ascontiguousarray(10.0 * (place - low) / np.maximum(high - low, 1e-12), dtype=np.float32)
