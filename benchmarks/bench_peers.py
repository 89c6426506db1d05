"""Searches through the whole service beside FAISS HNSW, LanceDB and Milvus Lite, at equal recall; and several models.

    python benchmarks/bench_peers.py                            # smoke: 5,000 x 128
    python benchmarks/bench_peers.py --n 100000 --dim 768
    python benchmarks/bench_peers.py --n 1000000 --dim 128

One run, one machine, one set of clustered unit vectors, one interface for all: `Peer.search(vector, effort) -> ids`.
The service's recall@10 is measured first; each peer then gets the least effort of a grid that reaches it. Peers keep
no facts: they answer with ids and scores, in the client's process (LanceDB and Milvus Lite from disk), the service with
films, facts, provenance and exclusions, from two other processes. Legs are timed in alternating rounds, one question at
a time, then by four threads together.

`--models 3` also stores the same films with three models and asks them one by one and fused, with a filter: the fused
question against its slowest part. Then once more with engines that need none of this machine's cores (`replay.py`).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "client")]

# ruff: noqa: E402 - the tree need not be installed
from benchmarks import bench_query, replay
from benchmarks.bench_engine import EF_CONSTRUCT, K, M, clustered, table, truth
from benchmarks.bench_query import FILTER, record, wait_for_graph
from hilum.v1 import encode_pb2, query_pb2, query_pb2_grpc
from services.core.facts import images, open_facts
from services.core.facts import models as known
from services.core.facts.images import Stored
from services.core.ids import image_id
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload, writing
from services.engine.fleet import EngineFleet

EFFORT = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
THREADS = 4


class Peer(ABC):
    """A way to the K nearest. effort: what it calls ef or nprobes."""

    name = ""
    tuned = True

    def __init__(self) -> None:
        self.effort, self.recall, self.build_s = 0, 0.0, 0.0
        self.times: list[float] = []

    @abstractmethod
    def build(self, base: np.ndarray, folder: Path) -> None: ...

    @abstractmethod
    def search(self, vector: np.ndarray, effort: int) -> list[int]: ...


class Faiss(Peer):
    name = "FAISS HNSW, in process"

    def build(self, base: np.ndarray, folder: Path) -> None:
        import faiss

        self._index = faiss.IndexHNSWFlat(base.shape[1], M, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = EF_CONSTRUCT
        self._index.add(base)
        faiss.omp_set_num_threads(1)

    def search(self, vector: np.ndarray, effort: int) -> list[int]:
        self._index.hnsw.efSearch = effort
        return self._index.search(vector[None], K)[1][0].tolist()


class Lance(Peer):
    name = "LanceDB HNSW, from disk"

    def build(self, base: np.ndarray, folder: Path) -> None:
        import lancedb
        import pyarrow as pa

        rows = pa.table(
            {
                "number": pa.array(np.arange(len(base))),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(base.ravel()), base.shape[1]),
            }
        )
        self._table = lancedb.connect(str(folder / "lance")).create_table("films", rows)
        self._table.create_index(
            metric="dot", vector_column_name="vector", index_type="IVF_HNSW_SQ", num_partitions=1, m=M,
            ef_construction=EF_CONSTRUCT,
        )  # fmt: skip

    def search(self, vector: np.ndarray, effort: int) -> list[int]:
        asked = self._table.search(vector).ef(max(effort, 2 * K)).nprobes(1).refine_factor(2).limit(K)
        return asked.select(["number", "_distance"]).to_arrow()["number"].to_pylist()


class Milvus(Peer):
    name = "Milvus Lite HNSW, from disk"

    def build(self, base: np.ndarray, folder: Path) -> None:
        from pymilvus import MilvusClient

        self._client = MilvusClient(str(folder / "milvus.db"))
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="HNSW", metric_type="IP", params={"M": M, "efConstruction": EF_CONSTRUCT})
        self._client.create_collection("films", dimension=base.shape[1], metric_type="IP", index_params=index)
        for start in range(0, len(base), 2_000):
            part = base[start : start + 2_000]
            self._client.insert("films", [{"id": start + i, "vector": v} for i, v in enumerate(part.tolist())])
        self._client.flush("films")
        self._client.load_collection("films")

    def search(self, vector: np.ndarray, effort: int) -> list[int]:
        found = self._client.search("films", [vector.tolist()], limit=K, search_params={"params": {"ef": effort}})
        return [int(hit["id"]) for hit in found[0]]


class Service(Peer):
    tuned = False

    def __init__(self, name: str, ask: Callable[[np.ndarray], list[str]], numbers: dict[str, int]) -> None:
        super().__init__()
        self.name, self._ask, self._numbers = name, ask, numbers

    def build(self, base: np.ndarray, folder: Path) -> None:
        """It is there already."""

    def search(self, vector: np.ndarray, effort: int) -> list[int]:
        return [self._numbers[image_id] for image_id in self._ask(vector)]


def over_grpc(port: int, model: str) -> Callable[[np.ndarray], list[str]]:
    stub = query_pb2_grpc.QueryServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def ask(vector: np.ndarray) -> list[str]:
        query = query_pb2.Query(vector=encode_pb2.Vector(values=vector))
        return [hit.image_id for hit in stub.Search(query_pb2.SearchRequest(query=query, models=[model], limit=K)).hits]

    return ask


def over_http(port: int, model: str) -> Callable[[np.ndarray], list[str]]:
    local = threading.local()

    def ask(vector: np.ndarray) -> list[str]:
        body = {"query": {"vector": {"values": vector.tolist()}}, "models": [model], "limit": K}
        for _ in range(2):  # a connection that was idle for long is closed by the server
            if not hasattr(local, "web"):
                local.web = http.client.HTTPConnection("127.0.0.1", port)
            try:
                local.web.request("POST", "/v1/search", json.dumps(body), {"content-type": "application/json"})
                return [hit["image_id"] for hit in json.loads(local.web.getresponse().read())["hits"]]
            except (ConnectionError, http.client.HTTPException):
                del local.web
        raise ConnectionError

    return ask


def fill(store: VectorStore, facts: Any, spaces: dict[str, np.ndarray]) -> None:
    """Store the same films with every model, as ingest does: vectors, then facts."""
    writing._UPSERT_POINTS = 5_000  # each part is flushed: nobody searches meanwhile who would wait for a large one
    specs = {name: ModelSpec(name, "1", "0" * 64, "none", "none", base.shape[1]) for name, base in spaces.items()}
    for spec in specs.values():
        store.ensure(spec)
        known.register(facts, spec)
    count = len(next(iter(spaces.values())))
    started = time.perf_counter()
    for start in range(0, count, 5_000):
        films = [record(number) for number in range(start, min(start + 5_000, count))]
        ids, carried = [film.image_id for film in films], [payload(film) for film in films]
        for name, base in spaces.items():
            store.upsert(specs[name], ids, base[start : start + 5_000], carried)
        marks = tuple(spec.fingerprint for spec in specs.values())
        images.commit(facts, [Stored(film, "0" * 64, marks) for film in films])
        print(f"\rstored {start + len(films)} in {time.perf_counter() - started:.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)


def race(peers: list[Peer], queries: np.ndarray, rounds: int) -> None:
    for turn in range(rounds + 1):
        for peer in peers:
            for query in queries:
                started = time.perf_counter()
                peer.search(query, peer.effort)
                if turn:
                    peer.times.append((time.perf_counter() - started) * 1e3)


def throughput(peer: Peer, queries: np.ndarray) -> float:
    """Questions a second by four threads together."""
    with ThreadPoolExecutor(THREADS) as pool:
        started = time.perf_counter()
        list(pool.map(lambda query: peer.search(query, peer.effort), [q for q in queries for _ in range(2)]))
        return 2 * len(queries) / (time.perf_counter() - started)


def recall(peer: Peer, queries: np.ndarray, exact: list[set[int]], effort: int) -> float:
    found = [len(set(peer.search(q, effort)) & good) for q, good in zip(queries, exact, strict=True)]
    return sum(found) / (K * len(queries))


@contextmanager
def serving(folder: Path, engine_url: str) -> Iterator[dict[str, int]]:
    """The ports of a service process of its own."""
    with running([bench_query.__file__, "--serve", str(folder), engine_url]) as said:
        yield json.loads(said)


@contextmanager
def running(command: list[str]) -> Iterator[str]:
    """What a Python process says first; it ends with the block."""
    child = subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait()


def fused(port: int, names: list[str], queries: int, rounds: int, where: str) -> list[dict[str, Any]]:
    """Stored films asked of each model, and of all together, with a filter. where: the engines are."""
    stub = query_pb2_grpc.QueryServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
    legs: dict[str, list[str]] = {**{name: [name] for name in names}, "fused": names}
    times: dict[str, list[float]] = {name: [] for name in legs}
    for turn in range(rounds + 1):
        for name, models in legs.items():
            for number in range(queries):
                request = query_pb2.SearchRequest(
                    query=query_pb2.Query(image_id=image_id("bench", str(number))), models=models, limit=K,
                    filter=FILTER,
                )  # fmt: skip
                started = time.perf_counter()
                found = len(stub.Search(request).hits)
                if turn:
                    times[name].append((time.perf_counter() - started) * 1e3)
                assert found == K
    slowest = max(float(np.median(times[name])) for name in names)
    return [
        {"leg": name, "engines": where, "p50_ms": float(np.median(spent)), "p99_ms": float(np.percentile(spent, 99)),
         "x_slowest_part": float(np.median(spent)) / slowest}
        for name, spent in times.items()
    ]  # fmt: skip


def run(args: argparse.Namespace, folder: Path) -> dict[str, list[dict[str, Any]]]:
    both = clustered(args.n + args.queries, args.dim, np.random.default_rng(args.seed))
    base, queries = both[: args.n], both[args.n :]
    exact = truth(base, queries)
    spaces = {"bench": base}
    for number in range(1, args.models):
        mix = np.random.default_rng(number).normal(size=(args.dim, args.dim)).astype(np.float32)
        other = base @ mix + 0.5 * np.random.default_rng(90 + number).normal(size=base.shape).astype(np.float32)
        spaces[f"bench-{number}"] = other / np.linalg.norm(other, axis=1, keepdims=True)
    facts = open_facts(f"sqlite:///{folder / 'facts.db'}")
    with EngineFleet(folder / "data", index_after=args.n, log_file=folder / "engine.log") as engine:
        store = VectorStore(engine.url, timeout=300)
        fill(store, facts, spaces)
        for name, space in spaces.items():
            wait_for_graph(engine.url, ModelSpec(name, "1", "0" * 64, "none", "none", space.shape[1]))
        numbers = {image_id("bench", str(number)): number for number in range(args.n)}
        names, together = list(spaces), []
        with serving(folder, engine.url) as ports:
            peers: list[Peer] = [
                Service("Hilum, gRPC", over_grpc(ports["grpc"], "bench"), numbers),
                Service("Hilum, HTTP", over_http(ports["http"], "bench"), numbers),
            ]
            target = recall(peers[0], queries, exact, 0)
            for peer in peers:
                peer.recall = recall(peer, queries, exact, 0)
            for peer in (Faiss(), Lance(), Milvus()):
                print(f"building {peer.name} …", file=sys.stderr)
                started = time.perf_counter()
                peer.build(base, folder)
                peer.build_s = time.perf_counter() - started
                for effort in EFFORT:
                    peer.effort, peer.recall = effort, recall(peer, queries, exact, effort)
                    if peer.recall >= target - 0.002:
                        break
                peers.append(peer)
            race(peers, queries, args.rounds)
            rates = [throughput(peer, queries) for peer in peers]
            if args.models > 1:
                together += fused(ports["grpc"], names, args.queries, args.rounds, "here")
        if args.models > 1:
            with running([replay.__file__, engine.url]) as urls, serving(folder, urls) as ports:
                together += fused(ports["grpc"], names, args.queries, args.rounds, "elsewhere")
        store.close()
    facts.close()
    return {
        "search": [
            {
                "leg": peer.name, "recall": peer.recall, "effort": peer.effort or "", "build_s": peer.build_s or "",
                "p50_ms": float(np.percentile(peer.times, 50)), "p99_ms": float(np.percentile(peer.times, 99)),
                "per_s": rate, "p50_x_hilum": float(np.percentile(peer.times, 50) / np.percentile(peers[0].times, 50)),
            }
            for peer, rate in zip(peers, rates, strict=True)
        ],
        "fused": together,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--n", type=int, default=5_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=int, default=1, help="store the films with so many, and fuse them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write all figures here")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-peers-"))
    try:
        figures = run(args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{args.n} x {args.dim}, {K} films a query, load {os.getloadavg()[0]:.1f}\n")
    for rows in figures.values():
        if rows:
            table(rows)
            print()
    if args.json:
        args.json.write_text(json.dumps({"n": args.n, "dim": args.dim, **figures}, indent=1))


if __name__ == "__main__":
    main()
