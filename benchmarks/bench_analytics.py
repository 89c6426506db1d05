"""One shared kNN graph for clusters, map and neighbours, against each tool computing its own.

    python benchmarks/bench_analytics.py                 # smoke: 2,000 x 64
    python benchmarks/bench_analytics.py --n 10000 --dim 768

Legs, on the same clustered unit vectors, each in a fresh process and there twice: *first* includes imports and
compiling (numba's cache on disk is warm after the very first run of all), *again* does not.

shared    services.analytics: one cosine graph → Leiden (igraph) → map (UMAP's layout, PCA start)
separate  what one gets by calling tools one after the other: scikit-learn's neighbours for the figures, pynndescent and
          leidenalg for the clusters, umap-learn with its own neighbours for the map

Read the ratios and CPU seconds: wall times carry what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

K = 15
LEGS = ("shared", "separate")
Made = tuple[NDArray[np.int32], NDArray[np.float32]]  # clusters (N,), map (N, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=2_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--leg", choices=LEGS)
    options = parser.parse_args()
    if options.leg:
        print(json.dumps(measure(options.leg, options.n, options.dim)))
        return
    command = [sys.executable, __file__, "--n", str(options.n), "--dim", str(options.dim), "--leg"]
    results = {leg: json.loads(subprocess.check_output([*command, leg], text=True)) for leg in LEGS}
    print(f"\n{options.n:,} x {options.dim}, k = {K}, load {os.getloadavg()[0]:.1f}\n")
    print("| | shared | separate | separate / shared |\n|---|---|---|---|")
    for name in results["shared"]:
        one, other = (results[leg][name] for leg in LEGS)
        ratio = f"{other / one:.2f}" if "s, " in name else ""
        print(f"| {name} | {one:.3g} | {other:.3g} | {ratio} |")


def measure(leg: str, films: int, dim: int) -> dict[str, float]:
    """CPU and wall seconds of a first and a second pass, and how good what came out is."""
    from sklearn.metrics import adjusted_rand_score

    from services.analytics import graph, metrics
    from services.analytics.progress import Progress

    unit, planted = planted_vectors(films, dim)
    work: Callable[[NDArray[np.float32]], Made] = {"shared": shared, "separate": separate}[leg]
    figures: dict[str, float] = {}
    for turn in ("first", "again"):
        cpu, wall = time.process_time(), time.perf_counter()
        members, place = work(unit)
        figures[f"CPU s, {turn}"] = time.process_time() - cpu
        figures[f"wall s, {turn}"] = time.perf_counter() - wall
    figures["clusters: adjusted Rand index with the planted ones"] = adjusted_rand_score(planted, members)
    true = graph.build(unit, K, 0, Progress())
    figures["map: trustworthiness"] = metrics.trustworthiness(unit, place, true, 0)["trustworthiness"]
    return figures


def shared(unit: NDArray[np.float32]) -> Made:
    from services.analytics import cluster, fuzzy, graph, layout
    from services.analytics.progress import Progress

    near = graph.build(unit, K, 0, Progress())
    edges = fuzzy.weights(near)
    return cluster.leiden(edges, 1.0, 0).members, layout.project(edges, unit, 0, lambda done, total: None)


def separate(unit: NDArray[np.float32]) -> Made:
    import igraph
    import leidenalg
    import umap
    from pynndescent import NNDescent
    from sklearn.neighbors import NearestNeighbors

    NearestNeighbors(n_neighbors=K, metric="cosine").fit(unit).kneighbors()  # for the figures
    near, _ = NNDescent(unit, metric="cosine", n_neighbors=K + 1, random_state=0).neighbor_graph
    edges = np.stack([np.repeat(np.arange(len(unit)), K), near[:, 1:].ravel()], axis=1)
    network = igraph.Graph(n=len(unit), edges=edges).simplify()
    members = leidenalg.find_partition(network, leidenalg.ModularityVertexPartition, seed=0).membership
    place = umap.UMAP(n_neighbors=K, metric="cosine", random_state=0, n_jobs=1).fit_transform(unit)
    return np.asarray(members, dtype=np.int32), np.asarray(place, dtype=np.float32)


def planted_vectors(films: int, dim: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(N, D) float32, L2-normalised, of 40 overlapping kinds on a curved 24-d surface; and the kind of each."""
    random = np.random.default_rng(0)
    kind = random.integers(0, 40, films)
    latent = random.standard_normal((40, 24))[kind] + 0.7 * random.standard_normal((films, 24))
    found = np.tanh(latent @ random.standard_normal((24, dim)) / 5) + 0.05 * random.standard_normal((films, dim))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), kind


if __name__ == "__main__":
    main()
