"""One shared kNN graph for neighbours, clusters, map and atlas, against each tool computing its own.

    python benchmarks/bench_analytics.py                                # smoke: 2,000 x 64
    python benchmarks/bench_analytics.py --n 100000 --dim 1024          # some 10 minutes on 2 cores
    python benchmarks/bench_analytics.py --dim 1024 --growth 10000 30000 100000 300000

Legs, on the same clustered unit vectors read from a file, each in a fresh process with all cores. *First* includes
imports and compiling (numba's cache on disk is warm after the very first run of all), *again*, for at most 20,000
films, does not.

shared    services.analytics: one cosine graph → Leiden (igraph) → map (UMAP's layout, PCA start) → snapshot
separate  what one gets by calling tools one after the other: umap-learn's `nearest_neighbors` and
          `fuzzy_simplicial_set` as scanpy has them, leidenalg to its end as scanpy has it, `umap.UMAP` with neighbours
          of its own, and the table that embedding-atlas reads; none told a seed, so that they may use every core

Trustworthiness, and modularity on one and the same graph, say whether what came out is as good. Peak memory is the
process's, the vectors that it read among it. Read the ratios: wall times carry what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

K = 15
LEGS = ("shared", "separate")
TWICE = 20_000  # films up to which a leg is done again, warm
Made = tuple[NDArray[np.int32], NDArray[np.float32]]  # clusters (N,), map (N, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=2_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--growth", type=int, nargs="+", default=[], help="Only the shared leg, of so many films each.")
    parser.add_argument("--leg", choices=LEGS)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    if options.leg:
        print(json.dumps(measure(options.leg, options.home)))
    elif options.growth:
        grow(options.growth, options.dim)
    else:
        compare(options.n, options.dim)


def compare(films: int, dim: int) -> None:
    with prepared(films, dim) as home:
        results = {leg: run(leg, home) for leg in LEGS}
    print(f"\n{films:,} x {dim}, k = {K}, load {os.getloadavg()[0]:.1f}\n")
    print("| | shared | separate | separate / shared |\n|---|---|---|---|")
    for name in results["shared"]:
        one, other = (results[leg].get(name) for leg in LEGS)
        ratio = f"{other / one:.2f}" if one and other and "s, " in name else ""
        print(f"| {name} | {_told(one)} | {_told(other)} | {ratio} |")


def grow(sizes: list[int], dim: int) -> None:
    found = {}
    for films in sizes:
        with prepared(films, dim) as home:
            found[films] = run("shared", home)
    print(f"\nshared, {dim} numbers, k = {K}, load {os.getloadavg()[0]:.1f}\n")
    print("| films | " + " | ".join(f"{films:,}" for films in sizes) + " |\n|---|" + "---|" * len(sizes))
    for name in [name for name in found[sizes[-1]] if "again" not in name]:
        print(f"| {name} | " + " | ".join(_told(found[films].get(name)) for films in sizes) + " |")


@contextmanager
def prepared(films: int, dim: int) -> Iterator[Path]:
    """A folder with vectors in a file, made by another process: their making takes more memory than their use."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        code = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import bench_analytics as b, numpy as n\n"
        )
        code += f"unit, kind = b.planted_vectors({films}, {dim})\n"
        code += f"n.save({str(home / 'unit.npy')!r}, unit); n.save({str(home / 'kind.npy')!r}, kind)"
        subprocess.check_call([sys.executable, "-c", code])
        yield home


def run(leg: str, home: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--leg", leg, "--home", str(home)]
    told: dict[str, float] = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])
    return told


def measure(leg: str, home: Path) -> dict[str, float]:
    """CPU and wall seconds, peak memory, and how good what came out is."""
    unit = np.load(home / "unit.npy")
    work: Callable[..., Made] = {"shared": shared, "separate": separate}[leg]
    figures: dict[str, float] = {}
    for turn in ("first", "again") if len(unit) <= TWICE else ("first",):
        stages: dict[str, float] = {}
        cpu, wall = time.process_time(), time.perf_counter()
        members, place = work(unit, home / f"{leg}-{turn}", stages)
        figures[f"CPU s, {turn}"] = time.process_time() - cpu
        figures[f"wall s, {turn}"] = time.perf_counter() - wall
        figures |= {f"{name}, wall s, {turn}": seconds for name, seconds in stages.items()}
    figures["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures |= judge(unit, np.load(home / "kind.npy"), members, place)
    return figures


def judge(
    unit: NDArray[np.float32], planted: NDArray[np.int64], members: NDArray[np.int32], place: NDArray[np.float32]
) -> dict[str, float]:
    """Of clusters and map, on one graph that both legs are judged by."""
    import igraph
    from scipy import sparse
    from sklearn.metrics import adjusted_rand_score

    from services.analytics import fuzzy, graph, metrics
    from services.analytics.progress import Progress

    true = graph.build(unit, K, 0, Progress())
    half = sparse.triu(fuzzy.weights(true), k=1).tocoo()
    network = igraph.Graph(n=len(unit), edges=np.column_stack([half.row, half.col]))
    return {
        "graph: recall (of the shared leg)": true.recall,
        "clusters": float(len(np.unique(members))),
        "clusters: modularity": network.modularity(members.tolist(), weights=half.data.astype(np.float64)),
        "clusters: adjusted Rand index with the planted ones": adjusted_rand_score(planted, members),
        "map: trustworthiness": metrics.trustworthiness(unit, place, true, 0)["trustworthiness"],
    }


@contextmanager
def timed(stages: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    stages[name] = time.perf_counter() - started


def shared(unit: NDArray[np.float32], out: Path, stages: dict[str, float]) -> Made:
    from services.analytics import cluster, fuzzy, graph, layout, snapshot
    from services.analytics.progress import Progress
    from services.analytics.sample import Sample

    with timed(stages, "neighbours"):
        near = graph.build(unit, K, 0, Progress())
    with timed(stages, "clusters"):
        edges = fuzzy.weights(near)
        found = cluster.leiden(edges, 1.0, 0)
    with timed(stages, "map"):
        place = layout.project(edges, unit, 0, lambda done, total: None)
    with timed(stages, "atlas"):
        films = len(unit)
        sample = Sample(
            [f"film-{n}" for n in range(films)], np.arange(films, dtype=np.int32), ["d"] * films, ["PA"] * films,
            ["F"] * films, np.full(films, 60, np.float32), {}, 0,
        )  # fmt: skip
        snapshot.write(out, "run", sample, [], near, {1.0: found}, place, [None] * films)
    return found.members, place


def separate(unit: NDArray[np.float32], out: Path, stages: dict[str, float]) -> Made:
    import igraph
    import leidenalg
    import pandas as pd
    import umap
    from scipy import sparse
    from umap.umap_ import fuzzy_simplicial_set, nearest_neighbors

    with timed(stages, "neighbours"):
        ids, distances, _ = nearest_neighbors(unit, K, "cosine", {}, False, None)
        edges, *_ = fuzzy_simplicial_set(unit, K, None, "cosine", knn_indices=ids, knn_dists=distances)
    with timed(stages, "clusters"):
        half = sparse.triu(edges, k=1).tocoo()
        network = igraph.Graph(n=len(unit), edges=np.column_stack([half.row, half.col]))
        kind = leidenalg.RBConfigurationVertexPartition
        members = leidenalg.find_partition(network, kind, weights=half.data.tolist(), n_iterations=-1).membership
    with timed(stages, "map"):
        place = umap.UMAP(n_neighbors=K, metric="cosine").fit_transform(unit)
    with timed(stages, "atlas"):
        out.mkdir()
        films = len(unit)
        near = [{"ids": i, "distances": d} for i, d in zip(ids[:, 1:].tolist(), distances[:, 1:].tolist(), strict=True)]
        table = {"x": place[:, 0], "y": place[:, 1], "cluster": members, "text": ["PA · F · 60 y"] * films}
        pd.DataFrame({**table, "neighbors": near}).to_parquet(out / "dataset.parquet")
    return np.asarray(members, dtype=np.int32), np.asarray(place, dtype=np.float32)


def planted_vectors(films: int, dim: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(N, D) float32, L2-normalised, of 40 overlapping kinds on a curved 24-d surface; and the kind of each."""
    random = np.random.default_rng(0)
    kind = random.integers(0, 40, films)
    latent = random.standard_normal((40, 24))[kind] + 0.7 * random.standard_normal((films, 24))
    found = np.tanh(latent @ random.standard_normal((24, dim)) / 5) + 0.05 * random.standard_normal((films, dim))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), kind


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    main()
