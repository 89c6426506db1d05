"""Neighbours of many films by inverted lists: films are sorted into cells, and sought in the cells nearest to theirs.

As FAISS's IVF does (Jégou, Douze & Schmid 2011), but all films of a cell are asked together, so that the work is
products of matrices, which nothing does faster on a processor. How many cells are looked into is worked out beforehand,
from films drawn at random whose true neighbours are known: as many as it takes to find nearly all of those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GOOD = 0.99  # share of true neighbours to be found
_LEARN = 64  # films for each cell, of those that cells are learned from
_ROUNDS = 6
_BLOCK_NUMBERS = 2**24  # 64 MB of similarities at a time


@dataclass(frozen=True)
class Cells:
    """of: (N,) the cell of each film.  members: rows of each cell.  near: (C, C) cells, nearest first, each its own
    first."""

    of: NDArray[np.int64]
    members: list[NDArray[np.int64]]
    near: NDArray[np.int64]


def neighbours(
    unit: NDArray[np.float32],
    k: int,
    seed: int,
    rows: NDArray[np.int64],
    true: NDArray[np.int32],
    progress: Callable[[int, int], None],
    patients: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """ids and cosine distances, (N, k) each, nearest first. None where half of all cells would not suffice: whoever
    compares all films is as fast.

    unit: (N, D) float32, L2-normalised.  true: (R, k), the neighbours of `rows`, which tell how many cells it takes.
    patients: (N,); with it films of the same patient are no neighbours.
    """
    cells = sort(unit, int(np.sqrt(len(unit))), seed)
    probe = enough(cells, rows, true)
    if probe > len(cells.members) // 2:
        return None
    return _look(unit, k, cells, probe, progress, patients)


def enough(cells: Cells, rows: NDArray[np.int64], true: NDArray[np.int32]) -> int:
    """Into how many cells one must look to find GOOD of the true neighbours."""
    rank = np.argsort(cells.near, axis=1)  # of each cell, from each
    needed = np.sort(rank[cells.of[rows][:, None], cells.of[true]].ravel())
    return 1 + int(needed[min(int(np.ceil(GOOD * len(needed))), len(needed)) - 1])


def sort(unit: NDArray[np.float32], count: int, seed: int) -> Cells:
    """Films by the nearest of `count` centres: spherical k-means, learned from some of them."""
    random = np.random.default_rng(seed)
    some = np.asarray(unit[np.sort(random.choice(len(unit), min(len(unit), count * _LEARN), replace=False))])
    centres = some[random.choice(len(some), count, replace=False)]
    for _ in range(_ROUNDS):
        of = _nearest(some, centres)
        order = np.argsort(of, kind="stable")
        first = np.flatnonzero(np.diff(of[order], prepend=-1))
        sums = np.add.reduceat(some[order], first)
        centres = centres.copy()  # a cell that lost all its films stays where it was
        centres[of[order][first]] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    of = _nearest(unit, centres)
    order = np.argsort(of, kind="stable")
    ends = np.searchsorted(of[order], np.arange(count + 1))
    towards = centres @ centres.T
    np.fill_diagonal(towards, np.inf)
    members = [order[ends[cell] : ends[cell + 1]] for cell in range(count)]
    return Cells(of, members, np.argsort(-towards, axis=1, kind="stable"))


def _nearest(unit: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    step = max(1, _BLOCK_NUMBERS // len(centres))
    parts = [(unit[start : start + step] @ centres.T).argmax(axis=1) for start in range(0, len(unit), step)]
    return np.concatenate(parts)


def _look(
    unit: NDArray[np.float32], k: int, cells: Cells, probe: int, progress: Callable[[int, int], None],
    patients: NDArray[np.int32] | None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:  # fmt: skip
    """Of a film for which too few others were met, places left are the film itself, infinitely far."""
    films = len(unit)
    ids = np.repeat(np.arange(films, dtype=np.int32)[:, None], k, axis=1)
    distances = np.full((films, k), np.inf, dtype=np.float32)
    done = 0
    for cell, mine in enumerate(cells.members):
        if not len(mine):
            continue
        met = np.concatenate([cells.members[other] for other in cells.near[cell, :probe]])
        theirs = np.asarray(unit[met])
        step = max(1, _BLOCK_NUMBERS // len(met))
        for start in range(0, len(mine), step):
            rows = mine[start : start + step]
            similar = unit[rows] @ theirs.T
            similar[np.arange(len(rows)), np.arange(start, start + len(rows))] = -np.inf  # its own cell comes first
            if patients is not None:
                similar[patients[rows][:, None] == patients[met][None, :]] = -np.inf
            few = min(k, len(met))
            top = np.argpartition(similar, len(met) - few, axis=1)[:, len(met) - few :]
            near = np.take_along_axis(similar, top, axis=1)
            order = np.lexsort((met[top], -near), axis=1)
            near, top = np.take_along_axis(near, order, axis=1), np.take_along_axis(top, order, axis=1)
            there = np.isfinite(near)
            ids[rows[:, None], np.arange(few)] = np.where(there, met[top], rows[:, None])
            distances[rows[:, None], np.arange(few)] = np.where(there, np.clip(1.0 - near, 0.0, 2.0), np.inf)
        done += len(mine)
        progress(done, films)
    return ids, distances
