"""Layouts beside one another: UMAP, PCA and t-SNE of one graph, over seeds and perplexities, turned onto each other.

t-SNE is openTSNE's (Poličar, Stražar & Zupan 2019), on the run's neighbours: its affinities are taken over three times
as many neighbours as its perplexity. What is drawn starts from PCA (Kobak & Berens 2019); t-SNE's further seeds start
at random, so that what differs among them is what a start decides and not the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.analytics import layout
from services.analytics.graph import Graph

UMAP, PCA, TSNE = "umap", "pca", "tsne"
TITLES = {UMAP: "UMAP", PCA: "PCA", TSNE: "t-SNE"}
_ITERATIONS = 750  # 250 exaggerated, 500 plain: openTSNE's defaults


@dataclass(frozen=True)
class Layout:
    """place: (N, 2) float32, centred.  perplexity: of t-SNE, as it could be had from so many films."""

    method: str
    seed: int
    perplexity: float
    place: NDArray[np.float32]

    @property
    def name(self) -> str:
        return f"{TITLES[self.method]}, perplexity {self.perplexity:g}" if self.perplexity else TITLES[self.method]

    @property
    def column(self) -> str:
        """As tables name it."""
        return f"tsne-{self.perplexity:g}" if self.perplexity else self.method


def neighbours(k: int, layouts: Sequence[str], perplexities: Sequence[float], films: int) -> int:
    """How many neighbours a graph must have, so that everything comes from this one."""
    wanted = max([k, 2 * k, *(int(3 * p) for p in perplexities if TSNE in layouts)])
    return max(k, min(wanted, films - 1))


def first(pool: Graph, k: int) -> Graph:
    """The graph of the k nearest of `pool`'s neighbours."""
    if k == pool.k:
        return pool
    return Graph(
        np.ascontiguousarray(pool.ids[:, :k]), np.ascontiguousarray(pool.distances[:, :k]), pool.method, pool.recall,
        pool.recall_films,
    )  # fmt: skip


def draw(
    pool: Graph,
    edges: sparse.csr_matrix,
    unit: NDArray[np.float32],
    layouts: Sequence[str],
    perplexities: Sequence[float],
    seeds: Sequence[int],
    progress: Callable[[int, int], None],
) -> list[Layout]:
    """Every layout with every seed; PCA has none. edges: (N, N) weights of the first k neighbours of `pool`."""
    plans = [(UMAP, seed, 0.0) for seed in seeds if UMAP in layouts]
    plans += [(PCA, seeds[0], 0.0)] if PCA in layouts else []
    possible = dict.fromkeys(
        min(perplexity, float(pool.k // 3)) for perplexity in perplexities
    )  # as openTSNE bounds them
    plans += [(TSNE, seed, perplexity) for perplexity in possible for seed in seeds if TSNE in layouts]
    made: list[Layout] = []
    for number, (method, seed, perplexity) in enumerate(plans):

        def step(done: int, total: int, number: int = number) -> None:
            progress(100 * number + 100 * done // total, 100 * len(plans))

        if method == UMAP:
            place = layout.project(edges, unit, seed, step)
        elif method == PCA:
            place = layout.pca(unit)
        else:
            place = tsne(pool, unit, perplexity, seed, seed == seeds[0], step)
        made.append(Layout(method, seed, perplexity, place - place.mean(axis=0)))
        step(1, 1)
    return made


def tsne(
    pool: Graph,
    unit: NDArray[np.float32],
    perplexity: float,
    seed: int,
    from_pca: bool,
    step: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """(N, 2) float32. Euclidean on unit vectors, whose order is that of the cosine."""
    import openTSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    wide = first(pool, min(pool.k, int(np.ceil(3 * perplexity))))
    near = PrecomputedNeighbors(wide.ids, np.sqrt(2.0 * wide.distances.astype(np.float64)))
    affinities = PerplexityBasedNN(perplexity=perplexity, knn_index=near)
    random = np.random.default_rng(seed)
    start = layout.pca(unit).astype(np.float64) if from_pca else random.standard_normal((len(unit), 2))
    start = start / max(float(start[:, 0].std()), 1e-12) * 1e-4
    start += random.normal(scale=1e-6, size=start.shape)  # duplicates must not start in one point
    done = 0

    def tell(iteration: int, error: float, place: object) -> None:
        nonlocal done
        done = min(done + 10, _ITERATIONS)
        step(done, _ITERATIONS)

    optimiser = openTSNE.TSNE(
        perplexity=perplexity, n_jobs=1, random_state=seed, callbacks=tell, callbacks_every_iters=10,
        early_exaggeration_iter=250, n_iter=_ITERATIONS - 250,
    )  # fmt: skip
    return np.asarray(optimiser.fit(affinities=affinities, initialization=start), dtype=np.float32)


@dataclass(frozen=True)
class Aligned:
    """place: (N, 2) float32, a layout turned, mirrored, scaled and moved onto a reference.  disparity: what is left, 0
    (the same) to 1, as SciPy's ``procrustes`` has it."""

    place: NDArray[np.float32]
    disparity: float


def onto(reference: NDArray[np.float32], place: NDArray[np.float32]) -> Aligned:
    """Procrustes: the similarity that brings `place` (N, 2) nearest to `reference` (N, 2), films being the same."""
    middle = reference.mean(axis=0, dtype=np.float64)
    a, b = reference - middle, place - place.mean(axis=0, dtype=np.float64)
    size_a, size_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if size_a == 0 or size_b == 0:
        return Aligned(place, 1.0)
    u, strength, v = np.linalg.svd((b / size_b).T @ (a / size_a))
    share = float(strength.sum())
    moved = (b / size_b) @ (u @ v) * share * size_a + middle
    return Aligned(moved.astype(np.float32), max(1.0 - share**2, 0.0))
