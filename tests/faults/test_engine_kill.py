"""Kill the engine at any moment: what it acknowledged is there after the restart, once, and nothing half-done stays."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from services.engine.supervisor import EngineProcess
from tests.faults.engine_writer import vector

ROOT = Path(__file__).resolve().parents[2]
NAME = "films"
BATCH = 50


def connect(engine: EngineProcess) -> QdrantClient:
    return QdrantClient(
        host="127.0.0.1",
        grpc_port=engine.port,
        prefer_grpc=True,
        check_compatibility=False,
        timeout=20,
        grpc_options={"grpc.initial_reconnect_backoff_ms": 50, "grpc.max_reconnect_backoff_ms": 200},
    )


def make_collection(client: QdrantClient, dim: int) -> None:
    """A collection whose graph is built even when it is tiny."""
    client.create_collection(
        NAME,
        models.VectorParams(size=dim, distance=models.Distance.COSINE),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1),
    )
    client.create_payload_index(NAME, "n", models.PayloadSchemaType.INTEGER, wait=True)


@contextmanager
def writer(engine: EngineProcess, dim: int, ledger: Path, first: int = 0) -> Iterator[None]:
    """A process that upserts until the block ends."""
    arguments = [str(engine.port), NAME, str(dim), str(BATCH), str(ledger), str(first)]
    process = subprocess.Popen([sys.executable, "-m", "tests.faults.engine_writer", *arguments], cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def acknowledged(ledger: Path) -> set[int]:
    """Ids of every acknowledged batch."""
    starts = [int(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    return {i for start in starts for i in range(start, start + BATCH)}


def stored(client: QdrantClient) -> list[int]:
    """Every stored id, in the order of the scroll, after checking each point's payload against its id."""
    found: list[int] = []
    offset = None
    while True:
        page, offset = client.scroll(NAME, limit=2000, offset=offset)
        assert all(record.payload == {"n": record.id} for record in page)
        found += [int(record.id) for record in page]
        if offset is None:
            return found


def check(engine: EngineProcess, ledger: Path, dim: int) -> None:
    """Acknowledged means stored, once, whole, and findable."""
    client = connect(engine)
    wait_until(lambda: answers(client), 30)
    sure, found = acknowledged(ledger), stored(client)
    assert len(found) == len(set(found)), "a point is stored twice"
    assert not sure - set(found), f"{len(sure - set(found))} acknowledged points are lost"
    assert len(set(found) - sure) <= BATCH, "more than the one batch in flight is unaccounted for"
    assert client.count(NAME, exact=True).count == len(found)
    for i in random.sample(sorted(sure), min(5, len(sure))):
        hit = client.query_points(NAME, vector(i, dim), limit=1).points[0]
        assert (hit.id, round(hit.score, 3)) == (i, 1.0)
    client.close()


def answers(client: QdrantClient) -> bool:
    try:
        client.count(NAME)
        return True
    except Exception:
        return False


def wait_until(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


def generations(directory: Path) -> list[Path]:
    """Every generation of every collection on disk."""
    return list((directory / "collections").glob("*/*"))


def kill(engine: EngineProcess) -> None:
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)


def seeded() -> int:
    """A fresh seed, printed so that a failure can be run again with HILUM_TEST_SEED."""
    seed = int(os.environ.get("HILUM_TEST_SEED", random.randrange(1 << 30)))
    print(f"HILUM_TEST_SEED={seed}")
    return seed


def run_kills(directory: Path, kills: int, dim: int, longest: float) -> None:
    """Write without pause, kill the engine at random moments, check after each restart."""
    rng = random.Random(seeded())
    ledger = directory / "ledger"
    with EngineProcess(directory / "data", index_after=300) as engine:
        client = connect(engine)
        make_collection(client, dim)
        with writer(engine, dim, ledger):
            wait_until(lambda: len(acknowledged(ledger)) >= BATCH, 30)
            for k in range(kills):
                time.sleep(rng.uniform(0.0, longest))
                kill(engine)
                wait_until(lambda k=k: engine.restarts > k, 30)
        check(engine, ledger, dim)
    assert len(generations(directory / "data")) == 1


def test_kills_at_random_moments(tmp_path: Path) -> None:
    run_kills(tmp_path, kills=4, dim=32, longest=1.5)


@pytest.mark.slow
def test_many_kills_at_random_moments(tmp_path: Path) -> None:
    run_kills(tmp_path, kills=50, dim=128, longest=4.0)


def child_of(engine: EngineProcess) -> int | None:
    """Process id of the indexing child, if one is running."""
    found = Path(f"/proc/{engine.pid}/task").glob("*/children")
    children = [int(pid) for path in found for pid in path.read_text().split()]
    return children[0] if children else None


def test_kill_while_the_graph_is_built(tmp_path: Path) -> None:
    dim, ledger = 128, tmp_path / "ledger"
    with EngineProcess(tmp_path / "data", index_after=1000) as engine:
        client = connect(engine)
        make_collection(client, dim)
        with writer(engine, dim, ledger):
            wait_until(lambda: child_of(engine) is not None, 60)
            child = child_of(engine)
            assert len(generations(tmp_path / "data")) == 2
            kill(engine)
            wait_until(lambda: engine.restarts == 1, 30)
            wait_until(lambda: not Path(f"/proc/{child}").exists() or "Z" in state(child), 5)
            wait_until(lambda: len(acknowledged(ledger)) >= 1500, 30)
        check(engine, ledger, dim)
        wait_until(lambda: client.get_collection(NAME).segments_count >= 2, 60)
        check(engine, ledger, dim)


def state(pid: int | None) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def test_a_dying_indexer_costs_nothing(tmp_path: Path) -> None:
    dim, ledger = 128, tmp_path / "ledger"
    with EngineProcess(tmp_path / "data", index_after=1000) as engine:
        client = connect(engine)
        make_collection(client, dim)
        with writer(engine, dim, ledger):
            wait_until(lambda: child_of(engine) is not None, 60)
            child = child_of(engine)
            assert child is not None
            os.kill(child, signal.SIGKILL)
            wait_until(lambda: client.get_collection(NAME).optimizer_status != "ok", 10)
        assert engine.restarts == 0
        wait_until(lambda: len(generations(tmp_path / "data")) == 1, 10)
        check(engine, ledger, dim)


def test_writes_during_indexing_reach_the_new_generation(tmp_path: Path) -> None:
    dim = 64
    with EngineProcess(tmp_path / "data", index_after=1000) as engine:
        client = connect(engine)
        make_collection(client, dim)
        for start in range(0, 4000, 500):
            batch = [
                models.PointStruct(id=i, vector=vector(i, dim), payload={"n": i}) for i in range(start, start + 500)
            ]
            client.upsert(NAME, batch, wait=True)
        before = generations(tmp_path / "data")
        wait_until(lambda: child_of(engine) is not None, 30)
        client.upsert(NAME, [models.PointStruct(id=9000, vector=vector(9000, dim), payload={"n": 9000})], wait=True)
        client.delete(NAME, models.PointIdsList(points=[0, 1]), wait=True)
        client.set_payload(NAME, {"n": 3, "read": True}, points=[3], wait=True)
        client.create_payload_index(NAME, "read", models.PayloadSchemaType.BOOL, wait=True)
        searches = 0
        while generations(tmp_path / "data") == before or child_of(engine) is not None:
            assert client.query_points(NAME, vector(5, dim), limit=1).points[0].id == 5
            searches += 1
        wait_until(lambda: client.get_collection(NAME).segments_count >= 2, 30)
        assert searches > 0
        assert client.count(NAME).count == 3999
        assert client.retrieve(NAME, [0, 1]) == []
        assert client.retrieve(NAME, [3])[0].payload == {"n": 3, "read": True}
        read = models.Filter(must=[models.FieldCondition(key="read", match=models.MatchValue(value=True))])
        assert client.count(NAME, read).count == 1
        kill(engine)
        wait_until(lambda: engine.restarts == 1, 30)
        assert client.count(NAME, read).count == 1
        assert client.query_points(NAME, vector(9000, dim), limit=1).points[0].id == 9000


def test_indexes_that_nobody_waited_for_are_there_once_somebody_waits(tmp_path: Path) -> None:
    """Also where it is the same index that is waited for the second time."""
    fields = [f"f{number}" for number in range(6)]
    with EngineProcess(tmp_path / "data") as engine:
        client = connect(engine)
        make_collection(client, 8)
        for field in fields:
            client.create_payload_index(NAME, field, models.PayloadSchemaType.KEYWORD, wait=False)
        client.create_payload_index(NAME, fields[-1], models.PayloadSchemaType.KEYWORD, wait=True)
        kill(engine)
        wait_until(lambda: engine.restarts == 1, 30)
        assert set(client.get_collection(NAME).payload_schema) == {"n", *fields}
        client.upsert(NAME, [models.PointStruct(id=1, vector=vector(1, 8), payload={"f3": "x"})], wait=True)
        wanted = models.Filter(must=[models.FieldCondition(key="f3", match=models.MatchValue(value="x"))])
        assert client.count(NAME, wanted).count == 1
