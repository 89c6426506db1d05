"""The 2-D map: UMAP's layout of the run's graph (McInnes et al. 2018, algorithm 5), from a PCA start.

umap-learn itself compiles for half a minute before its first point, because importing it brings pynndescent along; this
one compiles once, in seconds. It draws as well (tested: trustworthiness of both, side by side), and the same seed draws
the same map, on any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# The curve 1 / (1 + a·d^2b) that fits min_dist 0.1, spread 1: umap-learn's defaults (tested against its own fit).
A, B = 1.5769434602697652, 0.8950608779665827
NEGATIVES = 5  # films pushed away for each pair drawn together
_BLOCK = 50_000
_MANY = 5_000  # films for which threads are worth waiting for one another
# Numbers of the inner loop, all float32: mixed with float64 it takes half as long again.
_A, _B, _NONE, _ONE, _TWO, _NEAR, _FAR, _FAR_MINUS = (
    np.float32(value) for value in (A, B, 0.0, 1.0, 2.0, 0.001, 4.0, -4.0)
)


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
        strong = graph.multiply(graph >= graph.data.max() / rounds).tocsr()  # the others would never be drawn
        self.place, self._before, self._rounds = place, place.copy(), rounds
        self._starts, self._tail = strong.indptr.astype(np.int64), strong.indices
        self._every = (strong.data.max() / strong.data).astype(np.float64)  # an edge is drawn once in so many rounds
        self._seed = random.integers(1, 2**63, dtype=np.uint64)
        self._due, self._pushed = self._every.copy(), self._every / NEGATIVES

    def round(self, now: int) -> None:
        self._before[:] = self.place
        rate = np.float32(1.0 - now / self._rounds)
        most = numba.get_num_threads()
        numba.set_num_threads(most if len(self.place) >= _MANY else 1)
        try:
            _round(
                self.place, self._before, self._starts, self._tail, self._every, self._due, self._pushed, float(now),
                rate, self._seed,
            )  # fmt: skip
        finally:
            numba.set_num_threads(most)

    @property
    def centred(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.place - self.place.mean(axis=0), dtype=np.float32)


def pca(unit: NDArray[np.float32], dimensions: int = 2) -> NDArray[np.float32]:
    """(N, d) principal components, each signed so that its largest loading is positive: the same on every machine."""
    mean = unit.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((unit.shape[1], unit.shape[1]))
    for start in range(0, len(unit), _BLOCK):
        block = unit[start : start + _BLOCK] - mean
        covariance += block.T @ block
    _, axes = np.linalg.eigh(covariance)
    axes = axes[:, ::-1][:, :dimensions]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return np.asarray((unit - mean.astype(np.float32)) @ axes.astype(np.float32), dtype=np.float32)


def _start(unit: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    place = pca(unit)
    place = place * (10.0 / max(float(np.abs(place).max()), 1e-12))
    place += random.normal(scale=1e-4, size=place.shape)  # duplicates must not start in one point
    low, high = place.min(axis=0), place.max(axis=0)
    return np.ascontiguousarray(10.0 * (place - low) / np.maximum(high - low, 1e-12), dtype=np.float32)


@numba.njit(cache=True, fastmath=True)
def _clip(value):  # type: ignore[no-untyped-def]
    return min(max(value, _FAR_MINUS), _FAR)


@numba.njit(cache=True, fastmath=True, parallel=True)
def _round(place, before, starts, tail, every, due, pushed, now, rate, seed):  # type: ignore[no-untyped-def]
    """Draw each film towards the neighbours that are due, and push it from a few others, in place.

    A film moves by where the others were in the round before: so films may be moved at the same time, by any number of
    threads, to the same map. An edge is in the graph both ways, and UMAP moves both of its films each time: a film is
    drawn twice as far here, once for each.

    place, before (N, 2) float32; starts (N + 1,) int64, tail (E,) int32: the graph's rows; every, due, pushed (E,)
    float64: the rounds between two draws of an edge, the round of its next draw, and up to when its film was pushed;
    rate float32; seed uint64.
    """
    films = np.uint64(place.shape[0])
    for j in numba.prange(place.shape[0]):
        state = (np.uint64(j) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's constants
        state ^= seed + np.uint64(now) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
        state = (state ^ (state >> np.uint64(29))) | np.uint64(1)
        at_x, at_y = before[j, 0], before[j, 1]
        for edge in range(starts[j], starts[j + 1]):
            if due[edge] > now:
                continue
            k = np.int64(tail[edge])
            x, y = at_x - before[k, 0], at_y - before[k, 1]
            square = x * x + y * y
            if square > _NONE:
                power = square ** (_B - _ONE)
                pull = -_TWO * _A * _B * power / (_A * power * square + _ONE)
                at_x += _TWO * _clip(pull * x) * rate
                at_y += _TWO * _clip(pull * y) * rate
            due[edge] += every[edge]
            gap = every[edge] / NEGATIVES
            draws = int((now - pushed[edge]) / gap)
            for _ in range(draws):
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                k = np.int64(state % films)
                x, y = at_x - before[k, 0], at_y - before[k, 1]
                square = x * x + y * y
                if k != j and square > _NONE:
                    push = _TWO * _B / ((_NEAR + square) * (_A * square**_B + _ONE))
                    at_x += _clip(push * x) * rate
                    at_y += _clip(push * y) * rate
            pushed[edge] += draws * gap
        place[j, 0], place[j, 1] = at_x, at_y
