"""A search through the whole service against the same query on Qdrant Edge in this process.

    python benchmarks/bench_query.py                          # smoke: 5,000 x 128
    python benchmarks/bench_query.py --n 100000 --dim 768

One run, one machine, one set of clustered unit vectors with facts and labels. The service runs in a process of its own
over an engine in another, as `hilum up` has them; clients are in this process. What a leg returns differs by design:
Edge gives ids and scores, the service films with their facts, labels, ranks and provenance.

Legs are timed in alternating rounds, so that what else the machine does hits all of them.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import qdrant_edge as edge
from qdrant_client import grpc as wire
from qdrant_client import models

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "client")]

# ruff: noqa: E402 - the tree need not be installed
from benchmarks.bench_engine import clustered, table
from hilum.v1 import encode_pb2, query_pb2, query_pb2_grpc
from services.core.blobs import Blobs
from services.core.facts import Facts, images, open_facts
from services.core.facts import models as known
from services.core.facts.images import Stored
from services.core.ids import image_id
from services.core.labels import Label, LabelState
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.core.types import ImageRecord
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.transport import grpc_edge
from services.transport.encode_client import EncodeClient

K = 10
FINDINGS = ("edema", "pneumonia", "pleural_effusion", "cardiomegaly", "pneumothorax", "atelectasis")
FILTER = 'view = "PA" AND age >= 40'


@dataclass
class Leg:
    """One way of asking; `floor` is the leg in process that answers the same question."""

    name: str
    ask: Callable[[int], int]
    floor: str
    times: list[float] = field(default_factory=list)


class NoEncoder:
    """An Encode service nobody asks: every query here is a vector or a stored film."""

    def list_models(self, request: encode_pb2.ListModelsRequest, call: object) -> encode_pb2.ListModelsResponse:
        return encode_pb2.ListModelsResponse()

    encode_texts = encode_images = list_models


def spec(dim: int) -> ModelSpec:
    return ModelSpec("bench", "1", "0" * 64, "none", "none", dim)


def record(number: int) -> ImageRecord:
    """A film with the facts that films have; two of each patient."""
    states = (LabelState.PRESENT, LabelState.ABSENT, LabelState.ABSENT, LabelState.UNCERTAIN)
    labels = tuple(Label(name, states[(number + i) % 4]) for i, name in enumerate(FINDINGS))
    return ImageRecord(
        image_id("bench", str(number)), "bench", f"p-{number // 2}", f"s-{number}", ("PA", "AP")[number % 2],
        "MF"[number % 2], float(number % 90), "2020-01-01", "DX", 2048, 2048, f"{number:064x}", f"{number:064x}",
        hashlib.sha256(str(number).encode()).hexdigest()[:16], labels=labels,
    )  # fmt: skip


def fill(store: VectorStore, facts: Facts, base: np.ndarray) -> None:
    """Store the films as ingest does: vectors, then facts."""
    model = spec(base.shape[1])
    store.ensure(model)
    known.register(facts, model)
    started = time.perf_counter()
    for start in range(0, len(base), 5_000):
        films = [record(number) for number in range(start, min(start + 5_000, len(base)))]
        ids = [film.image_id for film in films]
        store.upsert(model, ids, base[start : start + 5_000], [payload(film) for film in films])
        images.commit(facts, [Stored(film, "0" * 64, (model.fingerprint,)) for film in films])
        print(f"\rstored {start + len(films)} in {time.perf_counter() - started:.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)


def wait_for_graph(url: str, model: ModelSpec) -> None:
    store, quiet = VectorStore(url, timeout=300), 0.0
    while quiet < 15:  # a small collection gets no graph: then every search is exact
        info = store._at(model.collection).get_collection(model.collection)
        if info.status == models.CollectionStatus.GREEN and info.indexed_vectors_count:
            break
        quiet = quiet + 0.5 if info.status == models.CollectionStatus.GREEN else 0.0
        time.sleep(0.5)
    store.close()


def serve(folder: Path, engine_url: str) -> None:
    """The service process: both transports until stdin closes."""
    import threading

    import uvicorn

    from services.transport import http_edge

    facts, store = open_facts(f"sqlite:///{folder / 'facts.db'}"), VectorStore(engine_url)
    api = QueryApi(facts, store, EncodeClient.local(NoEncoder()), Blobs(folder / "blobs"))
    rpc = grpc_edge.serve([api], "127.0.0.1:0")
    web = uvicorn.Server(uvicorn.Config(http_edge.build([api]), port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=web.run, daemon=True)
    thread.start()
    while not web.started:
        time.sleep(0.01)
    print(json.dumps({"grpc": rpc.port, "http": web.servers[0].sockets[0].getsockname()[1]}), flush=True)
    sys.stdin.read()
    os._exit(0)


def legs_of(
    shard: edge.EdgeShard,
    engine_url: str,
    ports: dict[str, int],
    queries: np.ndarray,
    stored: list[str],
    base: np.ndarray,
) -> list[Leg]:
    params = edge.SearchParams(hnsw_ef=128, quantization=edge.QuantizationSearchParams(rescore=True, oversampling=2.0))
    lists = queries.tolist()
    view = edge.FieldCondition("view", match=edge.MatchValue("PA"))
    age = edge.FieldCondition("age", range=edge.RangeFloat(gte=40.0))
    where = edge.Filter(must=[view, age])

    def in_process(vectors: np.ndarray, condition: edge.Filter | None) -> Callable[[int], int]:
        def ask(i: int) -> int:
            nearest = edge.Query.Nearest(vectors[i], using="image")
            return len(shard.query(edge.QueryRequest(limit=K, query=nearest, filter=condition, params=params)))

        return ask

    stub = query_pb2_grpc.QueryServiceStub(grpc.insecure_channel(f"127.0.0.1:{ports['grpc']}"))
    web = http.client.HTTPConnection("127.0.0.1", ports["http"])

    engine = wire.PointsStub(grpc.insecure_channel(engine_url))

    def through_engine(i: int) -> int:
        dense = wire.VectorInput(dense=wire.DenseVector(data=lists[i]))
        asked = wire.QueryPoints(
            collection_name=spec(queries.shape[1]).collection, query=wire.Query(nearest=dense), using="image", limit=K,
            params=wire.SearchParams(
                hnsw_ef=128, quantization=wire.QuantizationSearchParams(rescore=True, oversampling=2.0)
            ),
        )  # fmt: skip
        return len(engine.Query(asked).result)

    def over_grpc(query: Callable[[int], query_pb2.Query], condition: str = "") -> Callable[[int], int]:
        def ask(i: int) -> int:
            request = query_pb2.SearchRequest(query=query(i), models=["bench"], limit=K, filter=condition)
            return len(stub.Search(request).hits)

        return ask

    def over_http(query: Callable[[int], dict[str, Any]], condition: str = "") -> Callable[[int], int]:
        def ask(i: int) -> int:
            body = {"query": query(i), "models": ["bench"], "limit": K, "filter": condition}
            web.request("POST", "/v1/search", json.dumps(body), {"content-type": "application/json"})
            return len(json.loads(web.getresponse().read())["hits"])

        return ask

    def vector(i: int) -> query_pb2.Query:
        return query_pb2.Query(vector=encode_pb2.Vector(values=queries[i]))

    def film(i: int) -> query_pb2.Query:
        return query_pb2.Query(image_id=stored[i])

    plain, filtered, own = "edge in process", "edge in process, filtered", "edge in process, stored film"
    return [
        Leg(plain, in_process(queries, None), plain),
        Leg("engine alone, gRPC", through_engine, plain),
        Leg("gRPC, vector", over_grpc(vector), plain),
        Leg("HTTP, vector", over_http(lambda i: {"vector": {"values": lists[i]}}), plain),
        Leg(filtered, in_process(queries, where), filtered),
        Leg("gRPC, vector, filtered", over_grpc(vector, FILTER), filtered),
        Leg("HTTP, vector, filtered", over_http(lambda i: {"vector": {"values": lists[i]}}, FILTER), filtered),
        Leg(own, in_process(base, None), own),
        Leg("gRPC, stored film, patient excluded", over_grpc(film), own),
        Leg("HTTP, stored film, patient excluded", over_http(lambda i: {"image_id": stored[i]}), own),
    ]


def race(legs: list[Leg], queries: int, rounds: int) -> None:
    """Time every leg on every query, the legs in turn within each round; the first round only warms up."""
    for turn in range(rounds + 1):
        for leg in legs:
            for i in range(queries):
                started = time.perf_counter()
                found = leg.ask(i)
                if turn:
                    leg.times.append((time.perf_counter() - started) * 1e3)
                assert found == K, f"{leg.name} found {found}"


def run(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    both = clustered(args.n + args.queries, args.dim, np.random.default_rng(args.seed))
    base, queries = both[: args.n], both[args.n :]
    facts = open_facts(f"sqlite:///{folder / 'facts.db'}")
    with EngineProcess(folder / "data", log_file=folder / "engine.log", index_after=args.n) as engine:
        store = VectorStore(engine.url, timeout=300)
        fill(store, facts, base)
        wait_for_graph(engine.url, spec(args.dim))
        shutil.copytree(next((folder / "data" / "collections").glob("*/*/shard")), folder / "in-process")
        shard = edge.EdgeShard.load(str(folder / "in-process"))
        command = [sys.executable, __file__, "--serve", str(folder), engine.url]
        service = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert service.stdout is not None
            ports = json.loads(service.stdout.readline())
            stored = [image_id("bench", str(number)) for number in range(args.queries)]
            legs = legs_of(shard, engine.url, ports, queries, stored, base)
            race(legs, args.queries, args.rounds)
        finally:
            service.kill()
            service.wait()
        shard.close()
        store.close()
    facts.close()
    medians = {leg.name: float(np.median(leg.times)) for leg in legs}
    return [
        {
            "leg": leg.name,
            "p50_ms": medians[leg.name],
            "p99_ms": float(np.percentile(leg.times, 99)),
            "p50_over_edge_ms": medians[leg.name] - medians[leg.floor],
            "p50_x_edge": medians[leg.name] / medians[leg.floor],
        }
        for leg in legs
    ]


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]), sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--n", type=int, default=5_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write all figures here")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-query-"))
    try:
        figures = run(args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{args.n} x {args.dim}, {K} films a query, load {os.getloadavg()[0]:.1f}\n")
    table(figures)
    if args.json:
        args.json.write_text(json.dumps({"n": args.n, "dim": args.dim, "search": figures}, indent=1))


if __name__ == "__main__":
    main()
