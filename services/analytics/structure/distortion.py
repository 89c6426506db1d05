"""What a flat picture does to a space, film by film.

For a film and k: *false* neighbours stand beside it on the map though they are far in the space (trustworthiness counts
them by how far); *lost* neighbours are near in the space and far on the map (continuity; Venna & Kaski 2001); *kept* is
the share of its true neighbours that are neighbours on the map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.graph import Graph

ROWS = 2_000
_NUMBERS = 2**23
_MOST = 60_000_000  # ranks to work out: fewer films of large samples


@dataclass(frozen=True)
class Distortion:
    """Of the films `rows` (R,) against all: trustworthiness, continuity and kept, each (R,) float64, 1 is best; their
    means are the figures of the literature."""

    rows: NDArray[np.int64]
    k: int
    trustworthiness: NDArray[np.float64]
    continuity: NDArray[np.float64]
    kept: NDArray[np.float64]


def rows(films: int, seed: int) -> NDArray[np.int64]:
    """Which films are measured: all of a small sample."""
    count = min(films, ROWS, max(_MOST // films, 300))
    return np.sort(np.random.default_rng(seed).choice(films, count, replace=False))


def measure(
    unit: NDArray[np.float32],
    places: Sequence[NDArray[np.float32]],
    graph: Graph,
    picked: NDArray[np.int64],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Distortion]:
    """Each layout of `places`, (N, 2) each, against the space; distances in the space are worked out once for all."""
    total = len(unit)
    k = min(graph.k, (total - 1) // 2)
    worst = k * (2 * total - 3 * k - 1) / 2
    figures = np.zeros((len(places), 3, len(picked)))
    step = max(1, _NUMBERS // total)
    flats = [place.astype(np.float64) for place in places]
    squares = [(flat**2).sum(axis=1) for flat in flats]
    for start in range(0, len(picked), step):
        block = picked[start : start + step]
        row = np.arange(len(block))
        away = 1.0 - unit[block] @ unit.T
        away[row, block] = -np.inf  # rank 0: the film itself
        ordered = np.sort(away, axis=1)
        true = graph.ids[block, :k]
        for number, (flat, square) in enumerate(zip(flats, squares, strict=True)):
            map_away = square[None, :] - 2.0 * flat[block] @ flat.T
            map_away[row, block] = -np.inf
            beside = np.argpartition(map_away, k, axis=1)[:, : k + 1]
            beside = beside[beside != block[:, None]].reshape(len(block), k)
            shared = [len(np.intersect1d(a, b, assume_unique=True)) for a, b in zip(beside, true, strict=True)]
            here = slice(start, start + len(block))
            figures[number, 0, here] = 1.0 - _excess(ordered, away, beside, k) / worst
            figures[number, 1, here] = 1.0 - _excess(np.sort(map_away, axis=1), map_away, true, k) / worst
            figures[number, 2, here] = np.array(shared) / k
        progress(min(start + step, len(picked)), len(picked))
    return [Distortion(picked, k, *found) for found in figures]


def _excess(
    ordered: NDArray[np.floating], away: NDArray[np.floating], near: NDArray[np.integer], k: int
) -> NDArray[np.float64]:
    """(R,): by how many ranks beyond k the films `near` (R, k) lie, summed. The rank of a film is how many are nearer,
    the film asked about among them."""
    ranks = np.empty(near.shape)
    for i in range(len(near)):
        ranks[i] = np.searchsorted(ordered[i], away[i, near[i]], side="left")
    return np.maximum(ranks - k, 0).sum(axis=1)
