"""How well clusters and map describe the space: silhouette, Davies–Bouldin, purity, trustworthiness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.analytics.graph import Graph

_BLOCK = 20_000


def silhouette(unit: NDArray[np.float32], members: NDArray[np.int32]) -> float | None:
    """Mean silhouette with cosine distance, over every film; None with fewer than two clusters.

    On unit vectors the mean cosine distance to a cluster is 1 − x · (sum of the cluster) / n, so that no distance
    between two films is ever computed. A film alone in its cluster counts 0, as Rousseeuw has it.
    """
    sizes = np.bincount(members)
    if len(sizes) < 2:
        return None
    sums = _sums(unit, members, len(sizes))
    total = 0.0
    for start in range(0, len(unit), _BLOCK):
        block = unit[start : start + _BLOCK].astype(np.float64)
        own, row = members[start : start + _BLOCK], np.arange(len(block))
        towards = block @ sums.T
        itself = (block * block).sum(axis=1)
        inside = 1.0 - (towards[row, own] - itself) / np.maximum(sizes[own] - 1, 1)
        outside = 1.0 - towards / sizes
        outside[row, own] = np.inf
        nearest = outside.min(axis=1)
        scale = np.maximum(inside, nearest)
        score = np.divide(nearest - inside, scale, out=np.zeros_like(scale), where=scale > 0)
        total += float(score[sizes[own] > 1].sum())
    return total / len(unit)


def davies_bouldin(unit: NDArray[np.float32], members: NDArray[np.int32]) -> float | None:
    """Davies–Bouldin index, euclidean on unit vectors, smaller is better; None with fewer than two clusters."""
    sizes = np.bincount(members)
    if len(sizes) < 2:
        return None
    centres = _sums(unit, members, len(sizes)) / sizes[:, None]
    spread = np.zeros(len(sizes))
    for start in range(0, len(unit), _BLOCK):
        own = members[start : start + _BLOCK]
        away = np.linalg.norm(unit[start : start + _BLOCK] - centres[own], axis=1)
        spread += np.bincount(own, weights=away, minlength=len(sizes))
    spread /= sizes
    squares = (centres**2).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * centres @ centres.T, 0.0))
    np.fill_diagonal(apart, np.inf)
    ratio = (spread[:, None] + spread[None, :]) / np.maximum(apart, 1e-12)
    return float(ratio.max(axis=1).mean())


def purity(members: NDArray[np.int32], classes: NDArray[np.int32]) -> dict[str, float | int | None]:
    """Share of films that carry the commonest class of their cluster; films of class −1 (unknown) are left out.

    `baseline` is the purity of one single cluster, `ami` the adjusted mutual information (0 by chance, 1 the same):
    purity alone grows with the number of clusters.
    """
    known = classes >= 0
    count = int(known.sum())
    if not count:
        return {"films": 0, "purity": None, "baseline": None, "ami": None}
    from sklearn.metrics import adjusted_mutual_info_score

    table = np.zeros((members.max() + 1, classes.max() + 1), dtype=np.int64)
    np.add.at(table, (members[known], classes[known]), 1)
    return {
        "films": count,
        "purity": float(table.max(axis=1).sum() / count),
        "baseline": float(table.sum(axis=0).max() / count),
        "ami": float(adjusted_mutual_info_score(classes[known], members[known])),
    }


def trustworthiness(
    unit: NDArray[np.float32], place: NDArray[np.float32], graph: Graph, seed: int, films: int = 2_000
) -> dict[str, float | int]:
    """Does the map put next to each other what is near in the space? (Venna & Kaski 2001, cosine, k of the graph.)

    Estimated from `films` films against all others; `kept` is the share of graph neighbours that are neighbours on the
    map too. k is bounded by N/2, beyond which the measure means nothing.
    """
    total = len(unit)
    k = min(graph.k, (total - 1) // 2)
    rows = np.sort(np.random.default_rng(seed).choice(total, min(films, total), replace=False))
    penalty, kept = 0.0, 0
    step = max(1, 2**23 // total)
    squares = (place.astype(np.float64) ** 2).sum(axis=1)
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        row = np.arange(len(block))[:, None]
        flat = squares[None, :] - 2.0 * place[block].astype(np.float64) @ place.T.astype(np.float64)
        flat[row[:, 0], block] = np.inf
        near = np.argpartition(flat, k - 1, axis=1)[:, :k]
        away = 1.0 - unit[block] @ unit.T
        away[row[:, 0], block] = -np.inf  # rank 0: the film itself
        # The rank of j is how many films are nearer than j; only the k on the map are asked for.
        ordered = np.sort(away, axis=1)
        for i in range(len(block)):
            rank = np.searchsorted(ordered[i], away[i, near[i]], side="left")
            penalty += float(np.maximum(rank - k, 0).sum())
            kept += len(np.intersect1d(near[i], graph.ids[block[i], :k], assume_unique=True))
    worst = len(rows) * k * (2 * total - 3 * k - 1) / 2
    return {
        "trustworthiness": 1.0 - penalty / worst,
        "kept": kept / (len(rows) * k),
        "k": k,
        "films": len(rows),
    }


def _sums(unit: NDArray[np.float32], members: NDArray[np.int32], clusters: int) -> NDArray[np.float64]:
    """(C, D) sum of the vectors of each cluster, in blocks so that a mapped file is read once."""
    sums = np.zeros((clusters, unit.shape[1]))
    for start in range(0, len(unit), _BLOCK):
        own = members[start : start + _BLOCK]
        order = np.argsort(own, kind="stable")
        edge = np.flatnonzero(np.diff(own[order], prepend=-1))
        sums[own[order][edge]] += np.add.reduceat(unit[start : start + _BLOCK][order].astype(np.float64), edge)
    return sums
