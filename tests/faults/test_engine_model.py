"""Random operations against a model: after any mixture of writes, reopenings and indexing rounds both hold the same."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.grpc import collections_pb2, points_pb2, qdrant_common_pb2

from services.engine.catalog import Catalog
from services.engine.convert.updates import Update
from services.engine.convert.values import fill_payload
from services.engine.indexer import Indexer
from services.engine.supervisor import EngineProcess

DIM = 8
IDS = range(120)
State = dict[int, tuple[list[float], dict[str, Any]]]


class Machine:
    """A collection and the plain dict it must equal."""

    def __init__(self, directory: Path, rng: random.Random) -> None:
        self.directory, self.rng = directory, rng
        self.catalog = Catalog(directory)
        params = collections_pb2.VectorParams(size=DIM, distance=collections_pb2.Dot)
        self.catalog.create(
            collections_pb2.CreateCollection(
                collection_name="films",
                vectors_config=collections_pb2.VectorsConfig(params=params),
                optimizers_config=collections_pb2.OptimizersConfigDiff(indexing_threshold=1),
            )
        )
        self.model: State = {}

    def write(self, kind: str, message: Any) -> None:
        self.catalog.shard("films").apply([Update(kind, message)], wait=self.rng.random() < 0.5)

    def upsert(self) -> None:
        message = points_pb2.UpsertPoints()
        for i in self.rng.sample(IDS, self.rng.randint(1, 40)):
            vector = [float(self.rng.randint(-9, 9)) for _ in range(DIM)]
            carried = {"n": self.rng.randint(0, 5)}
            point = message.points.add(id=qdrant_common_pb2.PointId(num=i))
            point.vectors.vector.dense.data.extend(vector)
            fill_payload(point.payload, carried)
            self.model[i] = (vector, carried)
        self.write("upsert", message)

    def delete(self) -> None:
        chosen = self.rng.sample(IDS, 5)
        message = points_pb2.DeletePoints()
        message.points.points.ids.extend(qdrant_common_pb2.PointId(num=i) for i in chosen)
        self.write("delete", message)
        for i in chosen:
            self.model.pop(i, None)

    def delete_by_filter(self) -> None:
        n = self.rng.randint(0, 5)
        message = points_pb2.DeletePoints()
        message.points.filter.CopyFrom(_n_is(n))
        self.write("delete", message)
        self.model = {i: point for i, point in self.model.items() if point[1].get("n") != n}

    def set_payload(self) -> None:
        n, mark = self.rng.randint(0, 5), self.rng.randint(0, 99)
        message = points_pb2.SetPayloadPoints()
        fill_payload(message.payload, {"mark": mark})
        message.points_selector.filter.CopyFrom(_n_is(n))
        self.write("set_payload", message)
        for i, (vector, carried) in self.model.items():
            if carried.get("n") == n:
                self.model[i] = (vector, carried | {"mark": mark})

    def overwrite_payload(self) -> None:
        if not self.model:
            return
        chosen = self.rng.choice(sorted(self.model))
        message = points_pb2.SetPayloadPoints()
        fill_payload(message.payload, {"n": 7})
        message.points_selector.points.ids.append(qdrant_common_pb2.PointId(num=chosen))
        self.write("overwrite_payload", message)
        self.model[chosen] = (self.model[chosen][0], {"n": 7})

    def reopen(self) -> None:
        self.catalog.close()
        self.catalog = Catalog(self.directory)

    def index(self) -> None:
        Indexer(self.catalog, 1).index("films")

    def check(self) -> None:
        with self.catalog.shard("films").reading() as live:
            records = live.retrieve(list(IDS), True, True)
            assert live.info().points_count == len(self.model)
        assert {r.id: (r.vector, r.payload) for r in records} == self.model


def _n_is(n: int) -> qdrant_common_pb2.Filter:
    found = qdrant_common_pb2.Filter()
    field = found.must.add().field
    field.key = "n"
    field.match.integer = n
    return found


def run(directory: Path, steps: int) -> None:
    seed = int(os.environ.get("HILUM_TEST_SEED", random.randrange(1 << 30)))
    print(f"HILUM_TEST_SEED={seed}")
    rng = random.Random(seed)
    machine = Machine(directory, rng)
    weights = {
        machine.upsert: 40,
        machine.delete: 15,
        machine.delete_by_filter: 5,
        machine.set_payload: 10,
        machine.overwrite_payload: 10,
        machine.reopen: 4,
        machine.index: 2,
    }
    try:
        for _ in range(steps):
            rng.choices(list(weights), list(weights.values()))[0]()
            machine.check()
        machine.index()
        machine.check()
    finally:
        machine.catalog.close()


def test_it_equals_a_dict(tmp_path: Path) -> None:
    run(tmp_path, 60)


@pytest.mark.slow
def test_it_equals_a_dict_for_long(tmp_path: Path) -> None:
    run(tmp_path, 800)


def test_many_threads_through_several_generations(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()
    with EngineProcess(tmp_path / "data", index_after=200) as engine:
        client = QdrantClient(
            host="127.0.0.1", grpc_port=engine.port, prefer_grpc=True, check_compatibility=False, timeout=30
        )
        client.create_collection(
            "films",
            models.VectorParams(size=DIM, distance=models.Distance.DOT),
            optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1),
        )
        folders: set[Path] = set()

        acknowledged: set[int] = set()
        deadline = time.monotonic() + 60  # a fast machine writes on until a generation has changed under its hands

        def write(k: int) -> None:
            for start in range(k * 1_000_000, (k + 1) * 1_000_000, 50):
                points = [models.PointStruct(id=i, vector=[float(i)] * DIM) for i in range(start, start + 50)]
                client.upsert("films", points, wait=True)
                acknowledged.update(range(start, start + 50))
                folders.update((tmp_path / "data" / "collections").glob("*/*/shard"))
                if start % 1_000_000 >= 950 and (len(folders) >= 2 or time.monotonic() > deadline):
                    return

        def read() -> None:
            while not stop.is_set():
                client.query_points("films", [1.0] * DIM, limit=5)
                client.scroll("films", limit=50)

        def guarded(work: Any, *args: Any) -> None:
            try:
                work(*args)
            except BaseException as error:
                failures.append(error)

        writers = [threading.Thread(target=guarded, args=(write, k)) for k in range(3)]
        readers = [threading.Thread(target=guarded, args=(read,)) for _ in range(3)]
        for thread in (*writers, *readers):
            thread.start()
        for thread in writers:
            thread.join()
        stop.set()
        for thread in readers:
            thread.join()
        assert failures == []
        assert len(folders) >= 2, "no generation changed while the threads ran"
        assert client.count("films").count == len(acknowledged) >= 3_000
        client.close()
