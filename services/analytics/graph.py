"""The one kNN graph of a run: clusters, map, agreement and the atlas all come from it.

Small samples get exact neighbours by blocked matrix products; larger ones by inverted lists (`lists`), with their
recall measured against exact neighbours of a few hundred films.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics import gpu, lists, nearest
from services.analytics.progress import Progress
from services.core.errors import ErrorCode, HilumError

EXACT_FILMS = 10_000  # of 1,024 numbers: 2 s on one core (docs/decisions/0005)
RECALL_FILMS = 500
_BLOCK_NUMBERS = 2**24  # 64 MB of similarities at a time


@dataclass(frozen=True)
class Graph:
    """ids: (N, k) int32 rows of the sample, nearest first, never the film itself.
    distances: (N, k) float32 cosine distances, 0 to 2.  recall: share of the true neighbours found (1 when exact),
    estimated from `recall_films` films."""

    ids: NDArray[np.int32]
    distances: NDArray[np.float32]
    method: str
    recall: float
    recall_films: int

    @property
    def k(self) -> int:
        return self.ids.shape[1]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(np.ascontiguousarray(self.ids).tobytes()).hexdigest()


def build(
    unit: NDArray[np.float32],
    k: int,
    seed: int,
    progress: Progress,
    stage: str = "graph",
    exact_films: int = EXACT_FILMS,
    patients: NDArray[np.int32] | None = None,
) -> Graph:
    """The k nearest other films of each row of `unit`, (N, D) float32, L2-normalised, N > k.

    patients: (N,) int32; with it films of the same patient are no neighbours. Raises FAILED_PRECONDITION when somebody
    has fewer than k films of others.
    """
    films = len(unit)
    if patients is not None:
        _enough_others(films, k, patients)
    progress(stage, 0, films)
    if films <= exact_films:
        ids, distances = exact(unit, k, np.arange(films), lambda done: progress(stage, done, films), patients)
        return Graph(ids, distances, "exact", 1.0, films)
    rows = np.sort(np.random.default_rng(seed).choice(films, min(RECALL_FILMS, films), replace=False))
    true, far = exact(unit, k, rows, patients=patients)
    on_card = gpu.neighbours(unit, k) if patients is None else None
    found = on_card or lists.neighbours(
        unit, k, seed, rows, true, lambda done, total: progress(stage, done, total), patients
    )
    if found is None:
        ids, distances = exact(unit, k, np.arange(films), lambda done: progress(stage, done, films), patients)
        return Graph(ids, distances, "exact", 1.0, films)
    ids, distances = found
    short = np.flatnonzero(np.isinf(distances[:, -1]))  # too few films in their cells, or of other patients
    ids[short], distances[short] = exact(unit, k, short, patients=patients)
    # By distance, not by id: among films at equal distance any is right.
    recall = float((distances[rows] <= far[:, -1:] + 1e-6).mean())
    progress(stage, films, films)
    return Graph(ids, distances, "cuML" if on_card else "inverted lists", recall, len(rows))


def exact(
    unit: NDArray[np.float32],
    k: int,
    rows: NDArray[np.int64],
    progress: object = None,
    patients: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Exact neighbours of `rows`: ids and cosine distances, (R, k) each. Films at equal distance come by their row;
    where there are fewer than k, the rest is infinitely far."""
    ids, similar = nearest.nobody(len(rows), k)
    every, step = np.arange(len(unit)), max(1, _BLOCK_NUMBERS // len(unit))
    for start in range(0, len(rows), step):
        at = np.arange(start, min(start + step, len(rows)))
        block = unit[rows[at]] @ unit.T
        nearest.offer(block, rows[at], at, every, nearest.ANYBODY if patients is None else patients, ids, similar)
        if callable(progress):
            progress(start + len(at))
    return ids, nearest.distances(similar)


def of_others(pool: Graph, unit: NDArray[np.float32], k: int, patients: NDArray[np.int32]) -> Graph:
    """The k nearest films of other patients, taken from a graph of all films; exact ones where that holds too few.

    pool: of more than k neighbours, twice k usually leaves enough. Raises FAILED_PRECONDITION when somebody has fewer
    than k films of others.
    """
    _enough_others(len(unit), k, patients)
    others = patients[pool.ids] != patients[:, None]
    first = np.argsort(~others, axis=1, kind="stable")[:, :k]
    ids, distances = np.take_along_axis(pool.ids, first, axis=1), np.take_along_axis(pool.distances, first, axis=1)
    short = np.flatnonzero(others.sum(axis=1) < k)
    if len(short):
        ids[short], distances[short] = exact(unit, k, short, patients=patients)
    return Graph(ids, distances, pool.method, pool.recall, pool.recall_films)


def _enough_others(films: int, k: int, patients: NDArray[np.int32]) -> None:
    if films - int(np.bincount(patients).max()) < k:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"there are not {k} films of other patients for every film: lower k, or take in more patients",
        )
