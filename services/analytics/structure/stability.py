"""Do clusters come back? Over seeds, over halves of the patients, and over resolutions.

As in clusterboot (Hennig 2007): half of the patients are drawn, their films clustered anew, and each cluster looks for
the one among the new clusters that is most like it by Jaccard. The mean of that over draws is its stability: below 0.6
a cluster is not to be trusted, above 0.75 it is there, above 0.85 it is highly stable (Hennig's words). A half's graph
is taken from the run's own: the first k of each film's neighbours that are in the half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.analytics import cluster, fuzzy
from services.analytics.cluster import Partition
from services.analytics.graph import Graph

STABLE, DOUBTFUL, DISSOLVED = 0.75, 0.6, 0.5  # Jaccard
ENOUGH = 0.75  # share of films in stable clusters that makes a resolution worth recommending


@dataclass(frozen=True, eq=False)
class Level:
    """One resolution. jaccard: (C,) of each cluster of `partition`, mean over draws, NaN of a cluster no draw met.
    dissolved: (C,) share of draws in which it was below 0.5.  agreement: mean adjusted Rand index between seeds, 1 with
    a single one.  persistence: (C,) at how many resolutions in a row there is a cluster like it, this one included."""

    resolution: float
    partition: Partition
    jaccard: NDArray[np.float64]
    dissolved: NDArray[np.float64]
    agreement: float
    persistence: NDArray[np.int64]

    @property
    def films_in_stable(self) -> float:
        sizes = np.bincount(self.partition.members)
        return float(sizes[self.jaccard >= STABLE].sum() / sizes.sum())

    @property
    def mean(self) -> float:
        """Mean stability of a film's cluster."""
        sizes = np.bincount(self.partition.members)
        known = np.isfinite(self.jaccard)
        return float(np.average(self.jaccard[known], weights=sizes[known])) if known.any() else float("nan")


def levels(
    pool: Graph,
    edges: sparse.csr_matrix,
    k: int,
    patients: NDArray[np.int32],
    resolutions: Sequence[float],
    seeds: Sequence[int],
    draws: int,
    progress: Callable[[int, int], None],
) -> list[Level]:
    """Of each of `resolutions` (rising) the clusters with the first seed, and how sure they are. edges: (N, N) weights
    of the first k neighbours of `pool`."""
    total, done = len(resolutions) * (len(seeds) + draws), 0
    partitions, agreements = [], []
    for resolution in resolutions:
        found = []
        for seed in seeds:
            found.append(cluster.leiden(edges, resolution, seed))
            done += 1
            progress(done, total)
        partitions.append(found[0])
        agreements.append(_agreement([one.members for one in found]))
    sums = [np.zeros((3, len(one.sizes))) for one in partitions]  # Jaccard, dissolved, draws that met it
    for draw in range(draws):
        chosen = half(patients, seeds[0], draw)
        part = fuzzy.weights(induced(pool, chosen, k))
        for resolution, whole, seen in zip(resolutions, partitions, sums, strict=True):
            again = cluster.leiden(part, resolution, seeds[0] + draw)
            best = jaccard(whole.members[chosen], again.members, len(whole.sizes)).max(axis=1)
            met = np.bincount(whole.members[chosen], minlength=len(whole.sizes)) > 0
            seen += [np.where(met, best, 0.0), met & (best < DISSOLVED), met]
            done += 1
            progress(done, total)
    lasting = persistence([one.members for one in partitions])
    made = []
    for number, (resolution, seen) in enumerate(zip(resolutions, sums, strict=True)):
        with np.errstate(invalid="ignore", divide="ignore"):
            like, gone = seen[:2] / seen[2]
        made.append(Level(resolution, partitions[number], like, gone, agreements[number], lasting[number]))
    return made


def half(patients: NDArray[np.int32], seed: int, draw: int) -> NDArray[np.int64]:
    """Rows of the films of half of the patients."""
    people = int(patients.max()) + 1
    picked = np.zeros(people, dtype=bool)
    picked[np.random.default_rng([seed, draw]).permutation(people)[: max(people // 2, 1)]] = True
    return np.flatnonzero(picked[patients])


def induced(pool: Graph, chosen: NDArray[np.int64], k: int) -> Graph:
    """The graph of the films `chosen` alone: of each the first k of its neighbours in `pool` that are among them. A
    film with fewer is its own neighbour in the places left, which no cluster sees."""
    row = np.full(len(pool.ids), -1, dtype=np.int64)
    row[chosen] = np.arange(len(chosen))
    ids, distances = row[pool.ids[chosen]], pool.distances[chosen]
    order = np.argsort(ids < 0, axis=1, kind="stable")[:, :k]
    ids, distances = np.take_along_axis(ids, order, axis=1), np.take_along_axis(distances, order, axis=1)
    missing = ids < 0
    last = np.maximum(k - missing.sum(axis=1) - 1, 0)[:, None]
    ids = np.where(missing, np.arange(len(chosen))[:, None], ids)
    distances = np.where(missing, np.take_along_axis(distances, last, axis=1), distances)
    return Graph(ids.astype(np.int32), distances.astype(np.float32), pool.method, pool.recall, pool.recall_films)


def jaccard(one: NDArray[np.int32], other: NDArray[np.int32], clusters: int = 0) -> NDArray[np.float64]:
    """(C, C'): films in both of a cluster of `one` and one of `other`, over films in either. clusters: C, where some
    may have no film."""
    table = contingency(one, other, clusters)
    either = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table
    return table / np.maximum(either, 1)


def contingency(one: NDArray[np.int32], other: NDArray[np.int32], clusters: int = 0) -> NDArray[np.int64]:
    """(C, C'): films in both."""
    table = np.zeros((max(int(one.max()) + 1, clusters), int(other.max()) + 1), dtype=np.int64)
    np.add.at(table, (one, other), 1)
    return table


def persistence(members: Sequence[NDArray[np.int32]]) -> list[NDArray[np.int64]]:
    """(C,) of each resolution: how many in a row, finer and coarser, have a cluster at least STABLE like it, itself
    included, each step held against the one before."""
    up = [np.ones(int(one.max()) + 1, dtype=np.int64) for one in members]
    down = [one.copy() for one in up]
    for here in range(len(members) - 1):
        like = jaccard(members[here], members[here + 1])
        found = like.max(axis=0) >= STABLE
        up[here + 1] = np.where(found, up[here][like.argmax(axis=0)] + 1, 1)
    for here in range(len(members) - 2, -1, -1):
        like = jaccard(members[here], members[here + 1])
        found = like.max(axis=1) >= STABLE
        down[here] = np.where(found, down[here + 1][like.argmax(axis=1)] + 1, 1)
    return [a + b - 1 for a, b in zip(up, down, strict=True)]


def recommend(found: Sequence[Level]) -> tuple[Level, str]:
    """The resolution to read, and why, in words."""
    several = [level for level in found if len(level.partition.sizes) > 1]
    if not several:
        return found[0], (
            f"At no resolution up to {found[-1].resolution:g} is there more than one cluster; ask for higher ones."
        )
    sure = [level for level in several if level.films_in_stable >= ENOUGH]
    if not sure:
        best = max(several, key=lambda level: (level.films_in_stable, level.mean))
        return best, (
            f"No resolution is stable: even at {best.resolution:g} ({_clusters(best)}) only {best.films_in_stable:.0%}"
            f" of films lie in clusters that come back (Jaccard {STABLE:g} or more) when half of the patients are"
            " clustered alone. Read clusters as regions of a continuum, not as groups."
        )
    best = max(sure, key=lambda level: (len(level.partition.sizes), level.films_in_stable, level.mean))
    finer = [level for level in several if len(level.partition.sizes) > len(best.partition.sizes)]
    beyond = ""
    if finer:
        follow = min(finer, key=lambda level: len(level.partition.sizes))
        beyond = f" The next finer, {follow.resolution:g} ({_clusters(follow)}), has {follow.films_in_stable:.0%}."
    return best, (
        f"Resolution {best.resolution:g} ({_clusters(best)}) is the finest at which {ENOUGH:.0%} of films or more, here"
        f" {best.films_in_stable:.0%}, lie in clusters that come back (Jaccard {STABLE:g} or more) when half of the"
        f" patients are clustered alone.{beyond} Seeds agree on it with an adjusted Rand index of {best.agreement:.2f}."
    )


def _clusters(level: Level) -> str:
    count = len(level.partition.sizes)
    return f"{count} clusters" if count > 1 else "one cluster"


def _agreement(members: Sequence[NDArray[np.int32]]) -> float:
    found = [rand(one, other) for number, one in enumerate(members) for other in members[:number]]
    return float(np.mean(found)) if found else 1.0


def rand(one: NDArray[np.int32], other: NDArray[np.int32]) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985)."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(one, other))


def tree(found: Sequence[Level]) -> list[Mapping[str, float | int]]:
    """The hierarchy: of each cluster its parent at the next lower resolution, the one that holds most of its films, and
    what share it holds."""
    rows: list[Mapping[str, float | int]] = []
    for number, level in enumerate(found):
        sizes = level.partition.sizes
        above = found[number - 1].partition.members if number else np.zeros(len(level.partition.members), np.int32)
        table = contingency(level.partition.members, above)
        for name, size in enumerate(sizes):
            parent = int(table[name].argmax())
            rows.append({
                "resolution": level.resolution, "cluster": name, "films": size,
                "parent": parent if number else -1, "share": float(table[name, parent] / size),
            })  # fmt: skip
    return rows
