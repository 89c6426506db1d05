"""The embedded engine against the limit it is built on and against two libraries that only search.

    python benchmarks/bench_engine.py                 # smoke: 5,000 x 128
    python benchmarks/bench_engine.py --n 100000 --dim 768

One run, one machine, one set of clustered unit vectors:

1. search through the engine (gRPC), one query a call and in batches, against the same query on the same shard with
   Qdrant Edge in this process;
2. insert + index, and search at equal recall, against hnswlib and FAISS HNSW (which keep no payload and no log).

Legs of a comparison are timed in alternating rounds, so that what else the machine does hits all of them.
Prints a table and, with --json, writes every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import hnswlib
import numpy as np
import psutil
import qdrant_edge as edge
from qdrant_client import QdrantClient
from qdrant_client import grpc as wire
from qdrant_client import models as m

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from services.engine.supervisor import EngineProcess

K, M, EF_CONSTRUCT = 10, 16, 100
EF_GRID = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
BATCH = 32
NAME = "bench"
Search = Callable[[np.ndarray, int], list[int]]


@dataclass
class Leg:
    """One way of searching: `search(query (D,), ef) -> ids`, the ef that reaches the target recall, and times in ms."""

    name: str
    search: Search
    ef: int = 0
    recall: float = 0.0
    times: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        p50, p99 = np.percentile(self.times, [50, 99])
        return {"leg": self.name, "ef": self.ef, "recall": self.recall, "p50_ms": p50, "p99_ms": p99}


def extra_legs(args: argparse.Namespace, queries: np.ndarray) -> list[Leg]:
    """Further ways to the same collection, e.g. over HTTP: return a Leg for each. None yet."""
    return []


def clustered(n: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """(n, dim) float32 unit vectors around n / 100 centres."""
    centres = rng.normal(size=(max(10, n // 100), dim)).astype(np.float32)
    out = centres[rng.integers(len(centres), size=n)]
    out += 1.2 * rng.normal(size=(n, dim)).astype(np.float32)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def truth(base: np.ndarray, queries: np.ndarray) -> list[set[int]]:
    """The exact K nearest of each query."""
    index = faiss.IndexFlatIP(base.shape[1])
    index.add(base)
    return [set(row.tolist()) for row in index.search(queries, K)[1]]


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and of its children that have ended."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def build_engine(engine: EngineProcess, client: QdrantClient, base: np.ndarray) -> dict[str, float]:
    """Insert everything durably and wait for the graph."""
    client.create_collection(NAME, {"image": m.VectorParams(size=base.shape[1], distance=m.Distance.COSINE)})
    for name, kind in (("view", m.PayloadSchemaType.KEYWORD), ("age", m.PayloadSchemaType.INTEGER)):
        client.create_payload_index(NAME, name, kind, wait=True)
    assert engine.pid is not None
    cpu, started = cpu_seconds(engine.pid), time.perf_counter()
    for start in range(0, len(base), 500):
        client.upsert(
            NAME,
            [
                m.PointStruct(id=i, vector={"image": base[i].tolist()}, payload={"view": "PA", "age": i % 90})
                for i in range(start, min(start + 500, len(base)))
            ],
            wait=True,
        )
    inserted = time.perf_counter() - started
    while True:
        info = client.get_collection(NAME)
        if info.status == m.CollectionStatus.GREEN and info.indexed_vectors_count:
            break
        time.sleep(0.2)
    return {
        "cpu_s": cpu_seconds(engine.pid) - cpu,
        "insert_wall_s": inserted,
        "wall_s": time.perf_counter() - started,
        "outside_graph": len(base) - (info.indexed_vectors_count or 0),
        "rss_mb": psutil.Process(engine.pid).memory_info().rss / 1e6,
    }


def build_library(build: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Build an index in this process."""
    me = os.getpid()
    cpu, started = cpu_seconds(me), time.perf_counter()
    index = build()
    return index, {"cpu_s": cpu_seconds(me) - cpu, "wall_s": time.perf_counter() - started}


def build_hnswlib(base: np.ndarray, threads: int) -> Any:
    index = hnswlib.Index(space="ip", dim=base.shape[1])
    index.init_index(max_elements=len(base), ef_construction=EF_CONSTRUCT, M=M)
    index.set_num_threads(threads)
    index.add_items(base, np.arange(len(base)))
    index.set_num_threads(1)
    return index


def build_faiss(base: np.ndarray, threads: int) -> Any:
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexHNSWFlat(base.shape[1], M, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = EF_CONSTRUCT
    index.add(base)
    faiss.omp_set_num_threads(1)
    return index


def client_leg(client: QdrantClient) -> Search:
    def search(query: np.ndarray, ef: int) -> list[int]:
        params = m.SearchParams(hnsw_ef=ef)
        answer = client.query_points(
            NAME, query.tolist(), using="image", limit=K, search_params=params, with_payload=False
        )
        return [int(hit.id) for hit in answer.points]

    return search


def stub_leg(client: QdrantClient) -> Search:
    stub = client.grpc_points

    def search(query: np.ndarray, ef: int) -> list[int]:
        dense = wire.VectorInput(dense=wire.DenseVector(data=query.tolist()))
        request = wire.QueryPoints(
            collection_name=NAME,
            query=wire.Query(nearest=dense),
            using="image",
            limit=K,
            params=wire.SearchParams(hnsw_ef=ef),
        )
        return [hit.id.num for hit in stub.Query(request).result]

    return search


def edge_leg(shard: edge.EdgeShard) -> Search:
    """The query that the engine makes of the same request."""

    def search(query: np.ndarray, ef: int) -> list[int]:
        params = edge.SearchParams(
            hnsw_ef=ef, quantization=edge.QuantizationSearchParams(rescore=True, oversampling=2.0)
        )
        asked = edge.QueryRequest(limit=K, query=edge.Query.Nearest(query, using="image"), params=params)
        return [hit.id for hit in shard.query(asked)]

    return search


def hnswlib_leg(index: Any) -> Search:
    def search(query: np.ndarray, ef: int) -> list[int]:
        index.set_ef(ef)
        return index.knn_query(query, k=K)[0][0].tolist()

    return search


def faiss_leg(index: Any) -> Search:
    def search(query: np.ndarray, ef: int) -> list[int]:
        index.hnsw.efSearch = ef
        return index.search(query[None], K)[1][0].tolist()

    return search


def batches(client: QdrantClient, shard: edge.EdgeShard, queries: np.ndarray, ef: int, rounds: int) -> list[dict]:
    """Milliseconds per query in batches of BATCH, through the engine and in process, in alternating rounds."""

    def engine(part: np.ndarray) -> None:
        params = m.SearchParams(hnsw_ef=ef)
        asked = [m.QueryRequest(query=q.tolist(), using="image", limit=K, params=params) for q in part]
        client.query_batch_points(NAME, asked)

    def in_process(part: np.ndarray) -> None:
        params = edge.SearchParams(
            hnsw_ef=ef, quantization=edge.QuantizationSearchParams(rescore=True, oversampling=2.0)
        )
        nearest = [edge.Query.Nearest(q, using="image") for q in part]
        shard.query_batch(edge.QueryBatchRequest([edge.QueryRequest(limit=K, query=n, params=params) for n in nearest]))

    times: dict[str, list[float]] = {"edge in process": [], "engine, QdrantClient": []}
    for _ in range(rounds):
        for name, work in (("edge in process", in_process), ("engine, QdrantClient", engine)):
            for start in range(0, len(queries) - BATCH + 1, BATCH):
                started = time.perf_counter()
                work(queries[start : start + BATCH])
                times[name].append((time.perf_counter() - started) * 1e3 / BATCH)
    floor = float(np.median(times["edge in process"]))
    return [
        {
            "leg": f"{name}, {BATCH} a call",
            "p50_ms_per_query": float(np.median(t)),
            "x_edge": float(np.median(t)) / floor,
        }
        for name, t in times.items()
    ]


def tune(leg: Leg, queries: np.ndarray, exact: list[set[int]], target: float) -> None:
    """The smallest ef of the grid whose recall reaches the target; the largest if none does."""
    for ef in EF_GRID:
        hits = sum(len(set(leg.search(q, ef)) & good) for q, good in zip(queries, exact, strict=True))
        leg.ef, leg.recall = ef, hits / (K * len(queries))
        if leg.recall >= target:
            return


def race(legs: list[Leg], queries: np.ndarray, rounds: int) -> None:
    """Time every leg on every query, the legs in turn within each round."""
    for _ in range(rounds):
        for leg in legs:
            for query in queries:
                started = time.perf_counter()
                leg.search(query, leg.ef)
                leg.times.append((time.perf_counter() - started) * 1e3)


def table(rows: list[dict[str, Any]]) -> None:
    """Print rows under the union of their keys."""
    keys = list(dict.fromkeys(k for row in rows for k in row))
    cells = [[f"{row[k]:.3f}" if isinstance(row.get(k), float) else str(row.get(k, "")) for k in keys] for row in rows]
    widths = [max(len(k), *(len(line[c]) for line in cells)) for c, k in enumerate(keys)]
    for line in (keys, *cells):
        print("  ".join(text.rjust(w) for text, w in zip(line, widths, strict=True)))
    print()


def run(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(args.seed)
    both = clustered(args.n + args.queries, args.dim, rng)
    base, queries = both[: args.n], both[args.n :]
    exact = truth(base, queries)
    with EngineProcess(folder / "data", log_file=folder / "engine.log", index_after=min(5_000, args.n // 4)) as engine:
        client = QdrantClient(
            host="127.0.0.1", grpc_port=engine.port, prefer_grpc=True, check_compatibility=False, timeout=300
        )
        builds = {"engine": build_engine(engine, client, base)}
        threads = max(1, (os.cpu_count() or 2) - 1)
        hnsw, builds["hnswlib"] = build_library(lambda: build_hnswlib(base, threads))
        flat, builds["faiss HNSW"] = build_library(lambda: build_faiss(base, threads))
        snapshot = next((folder / "data" / "collections").glob("*/*/shard"))
        shutil.copytree(snapshot, folder / "in-process")
        started = time.perf_counter()
        shard = edge.EdgeShard.load(str(folder / "in-process"))
        opened = time.perf_counter() - started
        legs = [
            Leg("edge in process", edge_leg(shard)),
            Leg("engine, gRPC stub", stub_leg(client)),
            Leg("engine, QdrantClient", client_leg(client)),
            *extra_legs(args, queries),
            Leg("hnswlib", hnswlib_leg(hnsw)),
            Leg("faiss HNSW", faiss_leg(flat)),
        ]
        for leg in legs:
            tune(leg, queries, exact, args.recall)
        race(legs, queries, args.rounds)
        batched = batches(client, shard, queries, legs[0].ef, args.rounds)
        shard.close()
        client.close()
    search = [leg.figures() for leg in legs]
    for row in search:
        row["p50_x_edge"] = row["p50_ms"] / search[0]["p50_ms"]
        row["p99_x_edge"] = row["p99_ms"] / search[0]["p99_ms"]
    build = [{"engine": name, **figures} for name, figures in builds.items()]
    for row in build:
        row["cpu_x_hnswlib"] = row["cpu_s"] / builds["hnswlib"]["cpu_s"]
    asked = {"n": args.n, "dim": args.dim, "target_recall": args.recall}
    return {**asked, "build": build, "search": search, "batched": batched, "open_shard_s": opened}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--n", type=int, default=5_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recall", type=float, default=0.99, help="recall@10 every leg is tuned to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write all figures here")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-engine-"))
    try:
        figures = run(args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{args.n} x {args.dim}, recall@{K} >= {args.recall}, load {os.getloadavg()[0]:.1f}\n")
    table(figures["build"])
    table(figures["search"])
    table(figures["batched"])
    print(f"opening the shard: {figures['open_shard_s']:.2f} s")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
