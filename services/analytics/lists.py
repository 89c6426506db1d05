"""Neighbours of many films by inverted lists: films are sorted into cells, and compared with those of cells near by.

As FAISS's IVF does (Jégou, Douze & Schmid 2011), but all films of a cell are asked together, so that the work is
products of matrices, which nothing does faster on a processor; and two cells are compared once, for the films of both.
How near cells must be is worked out beforehand, from films drawn at random whose true neighbours are known: as near as
it takes to find nearly all of those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics import nearest

GOOD = 0.99  # share of true neighbours to be found
_LEARN = 32  # films for each cell, of those that cells are learned from
_ROUNDS = 3  # twice as many of both: the same neighbours for 2 % fewer products and twice the learning
_BLOCK_NUMBERS = 2**24  # 64 MB of similarities at a time


@dataclass(frozen=True)
class Cells:
    """of: (N,) the cell of each film.  members: rows of each cell.  apart: (C, C) float32, how far the middles of two
    cells are from each other, by how wide both are: the squared distance over the sum of variances; 0 from itself."""

    of: NDArray[np.int64]
    members: list[NDArray[np.int64]]
    apart: NDArray[np.float32]


def neighbours(
    unit: NDArray[np.float32],
    k: int,
    seed: int,
    rows: NDArray[np.int64],
    true: NDArray[np.int32],
    progress: Callable[[int, int], None],
    patients: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """ids and cosine distances, (N, k) each, nearest first. None where it would take half of all comparisons: whoever
    compares all films finds all of their neighbours.

    unit: (N, D) float32, L2-normalised.  true: (R, k), the neighbours of `rows`, which tell how near cells must be.
    patients: (N,); with it films of the same patient are no neighbours. Of a film that met fewer than k others the
    last distances are infinite.
    """
    cells = sort(unit, int(np.sqrt(len(unit))), seed)
    near = cells.apart <= reach(cells, rows, true)
    sizes = np.bincount(cells.of, minlength=len(near)).astype(np.float64)
    if sizes @ near @ sizes > len(unit) ** 2 / 2:
        return None
    return _look(unit, k, cells.members, near, progress, nearest.ANYBODY if patients is None else patients)


def reach(cells: Cells, rows: NDArray[np.int64], true: NDArray[np.int32]) -> float:
    """How far apart cells may be that must be compared to find GOOD of the true neighbours.

    Films of wide cells have neighbours farther away, so distance is by width: of 1/i spectra and of clusters unequal in
    width it takes a third to a half fewer comparisons than distance alone, or than the nearest so many cells of each.
    """
    needed = np.sort(cells.apart[cells.of[rows][:, None], cells.of[true]].ravel())
    return float(needed[min(int(np.ceil(GOOD * len(needed))), len(needed) - 1)])


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
    members = np.split(order, np.searchsorted(of[order], np.arange(1, count)))
    return Cells(of, members, _apart(unit, members))


def _apart(unit: NDArray[np.float32], members: list[NDArray[np.int64]]) -> NDArray[np.float32]:
    middles = np.stack([unit[rows].sum(axis=0) / max(len(rows), 1) for rows in members])
    squares = (middles**2).sum(axis=1)
    variances = np.maximum(1.0 - squares, 1e-6)  # of unit vectors; a cell of duplicates has none
    between = np.maximum(squares[:, None] + squares[None, :] - 2.0 * middles @ middles.T, 0.0)
    apart = (between / (variances[:, None] + variances[None, :])).astype(np.float32)
    np.fill_diagonal(apart, 0.0)
    return np.minimum(apart, apart.T)  # the same both ways, to the last bit


def _nearest(unit: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    step = max(1, _BLOCK_NUMBERS // len(centres))
    parts = [(unit[start : start + step] @ centres.T).argmax(axis=1) for start in range(0, len(unit), step)]
    return np.concatenate(parts)


def _look(
    unit: NDArray[np.float32], k: int, members: list[NDArray[np.int64]], near: NDArray[np.bool_],
    progress: Callable[[int, int], None], patients: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:  # fmt: skip
    ids, similar = nearest.nobody(len(unit), k)
    done = 0
    for cell, mine in enumerate(members):
        later = [members[other] for other in cell + 1 + np.flatnonzero(near[cell, cell + 1 :])]
        met = np.concatenate([mine, *later])
        theirs, step = unit[met], max(1, _BLOCK_NUMBERS // max(len(met), 1))
        for start in range(0, len(mine), step):
            rows = mine[start : start + step]
            block = theirs[start : start + len(rows)] @ theirs.T
            nearest.offer(block, rows, rows, met, patients, ids, similar)
            others = met[len(mine) :]  # what its own cell has for others, it gets as theirs
            nearest.offer(block[:, len(mine) :].T, others, others, rows, patients, ids, similar)
        done += len(mine)
        progress(done, len(unit))
    return ids, nearest.distances(similar)
