"""Ten thousand mixed questions over both transports: does the service's memory stay flat, and does each get its answer?

    python benchmarks/bench_soak.py                    # 10,000 calls over 2,000 phantoms' worth of vectors
    python benchmarks/bench_soak.py --calls 2000

Service and engine run in processes of their own, as `hilum up` has them. Asked are stored films, vectors, mixtures,
groups, caps, diversity, filters, pages to the end, batches, streams, facets and questions that are refused. Resident
memory is read after the first fifth, when pools and caches are full, and at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import grpc
import httpx
import numpy as np
import psutil
from google.protobuf import json_format

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "client")]

# ruff: noqa: E402 - the tree need not be installed
from benchmarks import bench_query
from benchmarks.bench_engine import clustered, table
from benchmarks.bench_peers import fill
from hilum.v1 import encode_pb2, query_pb2, query_pb2_grpc
from services.core.facts import open_facts
from services.core.ids import image_id
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess

Request = query_pb2.SearchRequest


def questions(rng: random.Random, films: int, dim: int) -> list[Request]:
    """One of each kind, about films drawn anew."""

    def film() -> query_pb2.Query:
        return query_pb2.Query(image_id=image_id("bench", str(rng.randrange(films))))

    values = np.random.default_rng(rng.randrange(2**32)).normal(size=dim)
    vector = query_pb2.Query(vector=encode_pb2.Vector(values=values))
    parts = [query_pb2.Part(query=film(), weight=weight) for weight in (1, 0.5, -0.3)]
    both = ["bench", "bench-1"]
    return [
        Request(query=film(), models=["bench"]),
        Request(query=film(), models=both, filter='view = "PA" AND age >= 40', fusion=rng.choice(["rrf", "dbsf"])),
        Request(query=vector, models=["bench"], limit=50),
        Request(query=query_pb2.Query(mixture=query_pb2.Mixture(parts=parts)), models=["bench"]),
        Request(query=film(), models=["bench"], group_by="patient", group_size=2),
        Request(query=film(), models=["bench"], per_patient=1, diversity=0.5, priors=True),
        Request(query=film(), models=["bench"], mode="lookalike", finding="edema"),
        Request(models=["bench"], mode=rng.choice(["typical", "atypical"]), finding="edema"),
        Request(query=film(), models=["nobody"]),
        Request(query=film(), models=["bench"], filter="(("),
    ]


def soak(args: argparse.Namespace, ports: dict[str, int], pids: dict[str, int]) -> tuple[Counter[str], list[dict]]:
    rng = random.Random(args.seed)
    stub = query_pb2_grpc.QueryServiceStub(grpc.insecure_channel(f"127.0.0.1:{ports['grpc']}"))
    web = httpx.Client(base_url=f"http://127.0.0.1:{ports['http']}", timeout=60)
    outcomes: Counter[str] = Counter()
    memory = {name: [0.0, 0.0] for name in pids}
    done, mark = 0, args.calls // 5
    started = time.perf_counter()
    while done < args.calls:
        for request in questions(rng, args.n, args.dim):
            if rng.random() < 0.4:
                body = json_format.MessageToDict(request, preserving_proto_field_name=True)
                outcomes[f"http {web.post('/v1/search', json=body).status_code}"] += 1
            else:
                try:
                    stub.Search(request)
                    outcomes["grpc OK"] += 1
                except grpc.RpcError as error:
                    outcomes[f"grpc {error.code().name}"] += 1
            done += 1
        film = query_pb2.Query(image_id=image_id("bench", str(rng.randrange(args.n))))
        page = stub.Search(Request(query=film, models=["bench"], limit=200, page_size=50))
        while page.next_page_token:
            page = stub.Search(Request(page_token=page.next_page_token))
            done += 1
        stub.SearchBatch(query_pb2.SearchBatchRequest(requests=questions(rng, args.n, args.dim)[:4]))
        found = sum(len(piece.hits) for piece in stub.SearchStream(Request(query=film, models=["bench"], limit=500)))
        assert found == 500, found
        stub.FacetImages(query_pb2.FacetImagesRequest(filter="labels.edema = present"))
        done += 4
        for name, pid in pids.items():
            resident = psutil.Process(pid).memory_info().rss / 2**20
            memory[name][0] = resident if done <= mark else memory[name][0]
            memory[name][1] = resident
    spent = time.perf_counter() - started
    outcomes["per second"] = round(done / spent)
    return outcomes, [
        {"process": name, "MiB after a fifth": first, "MiB at the end": last, "x": last / first}
        for name, (first, last) in memory.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--n", type=int, default=2_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-soak-"))
    base = clustered(args.n, args.dim, np.random.default_rng(args.seed))
    facts = open_facts(f"sqlite:///{folder / 'facts.db'}")
    try:
        with EngineProcess(folder / "data", log_file=folder / "engine.log") as engine:
            store = VectorStore(engine.url, timeout=300)
            fill(store, facts, {"bench": base, "bench-1": np.roll(base, 1, axis=1)})
            command = [sys.executable, bench_query.__file__, "--serve", str(folder), engine.url]
            service = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            try:
                assert service.stdout is not None and engine.pid is not None
                ports = json.loads(service.stdout.readline())
                outcomes, memory = soak(args, ports, {"service": service.pid, "engine": engine.pid})
            finally:
                service.kill()
                service.wait()
            store.close()
    finally:
        facts.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{args.calls} calls, load {os.getloadavg()[0]:.1f}: {dict(outcomes)}\n")
    table(memory)


if __name__ == "__main__":
    main()
