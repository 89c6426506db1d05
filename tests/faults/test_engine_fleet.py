"""Several engines over one directory: collections are spread, found again, and lost to nobody when one of them dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.engine.fleet import EngineFleet
from services.engine.supervisor import EngineFailedError, EngineProcess
from services.engine.turn import Turn
from tests.kit.records import make_record, make_spec, unit_vectors

SPECS = [make_spec(name) for name in ("one", "two", "three", "four")]
IDS = sorted(make_record(f"film-{n}").image_id for n in range(5))
VECTORS = unit_vectors(5, SPECS[0].dim)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet")


@pytest.fixture(scope="module")
def fleet(directory: Path) -> Iterator[EngineFleet]:
    with EngineFleet(directory / "engine", lanes=3, log_file=directory / "log") as fleet:
        yield fleet


@pytest.fixture(scope="module")
def store(fleet: EngineFleet) -> Iterator[VectorStore]:
    store = VectorStore(fleet.url)
    for spec in SPECS:
        store.ensure(spec)
        store.upsert(spec, IDS, VECTORS, [{"view": "PA"}] * len(IDS))
    yield store
    store.close()


def holds_all(store: VectorStore, specs: list[ModelSpec] = SPECS) -> None:
    for spec in specs:
        assert store.count(spec) == len(IDS)
        np.testing.assert_allclose(store.vectors(spec)[1], VECTORS, atol=1e-6)
        assert store.query(spec, [VECTORS[2]], 1)[0][0].image_id == IDS[2]
        assert store.aliases()[spec.alias] == spec.collection


def owners(fleet: EngineFleet) -> list[set[str]]:
    """What each engine holds."""
    held = []
    for engine in fleet.engines:
        alone = VectorStore(engine.url)
        held.append(set(alone.collections()))
        alone.close()
    return held


def test_collections_are_spread_and_everybody_finds_them(fleet: EngineFleet, store: VectorStore) -> None:
    assert sorted(map(len, owners(fleet))) == [1, 1, 2]
    assert store.collections() == sorted(spec.collection for spec in SPECS) == store.ours()
    holds_all(store)
    other = VectorStore(fleet.url)
    holds_all(other)
    other.close()


def test_they_write_files_anew_one_after_another(fleet: EngineFleet, store: VectorStore, directory: Path) -> None:
    turn = directory / "engine" / "indexing.lock"
    for spec in SPECS:
        turn.unlink(missing_ok=True)
        store.purge(spec.collection)
        assert turn.exists(), "each engine takes turns by the same file"
    holds_all(store)


def test_a_collection_made_by_another_process_is_found(fleet: EngineFleet, store: VectorStore) -> None:
    spec, other = make_spec("made-elsewhere"), VectorStore(fleet.url)
    other.ensure(spec)
    assert store.count(spec) == 0
    store.ensure(spec)
    assert [spec.collection in held for held in owners(fleet)].count(True) == 1
    store.drop(spec.collection)
    assert spec.collection not in other.collections()
    other.close()


def test_an_alias_moves_from_engine_to_engine(fleet: EngineFleet, store: VectorStore) -> None:
    before, after = make_spec("changed"), make_spec("changed", revision="2")
    for spec in (before, after):
        store.ensure(spec)
    held = owners(fleet)
    assert next(h for h in held if before.collection in h) is not next(h for h in held if after.collection in h)
    assert store.aliases()[before.alias] == before.collection
    for spec in (after, before):
        store.switch_alias(spec)
        assert store.aliases()[spec.alias] == spec.collection
    for spec in (before, after):
        store.drop(spec.collection)


def test_one_that_dies_takes_no_others_along(fleet: EngineFleet, store: VectorStore) -> None:
    held = owners(fleet)
    dead = next(n for n, names in enumerate(held) if SPECS[0].collection in names)
    other = next(spec for spec in SPECS if spec.collection not in held[dead])
    pid = fleet.engines[dead].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        store._looked = -1e9  # long ago: somebody else may have made collections since
        assert store.query(other, [VECTORS[2]], 1, exact=True)[0][0].image_id == IDS[2]
    finally:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while fleet.engines[dead].restarts == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    holds_all(store)


def test_nothing_is_made_twice_while_one_is_away(fleet: EngineFleet) -> None:
    fresh = VectorStore(fleet.url, timeout=1.0)
    engine = fleet.engines[owners(fleet).index(max(owners(fleet), key=len))]
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        with pytest.raises(HilumError) as refused:
            fresh.count(SPECS[0])
        assert refused.value.code in (ErrorCode.UNAVAILABLE, ErrorCode.DEADLINE_EXCEEDED)
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    fresh.close()
    assert sum(map(len, owners(fleet))) == len(SPECS)


def test_fewer_lanes_later_lose_nothing(tmp_path: Path) -> None:
    for lanes in (3, 1, 2):
        with EngineFleet(tmp_path / "engine", lanes, log_file=tmp_path / "log") as fleet:
            store = VectorStore(fleet.url)
            if lanes == 3:
                for spec in SPECS:
                    store.ensure(spec)
                    store.upsert(spec, IDS, VECTORS, [{"view": "PA"}] * len(IDS))
            holds_all(store)
            store.close()


def test_all_or_none_start(tmp_path: Path) -> None:
    with EngineProcess(tmp_path / "engine" / "lanes" / "2", log_file=tmp_path / "log"):
        fleet = EngineFleet(tmp_path / "engine", lanes=2, log_file=tmp_path / "log")
        assert len(fleet.engines) == 3
        with pytest.raises(EngineFailedError, match="in use by process"):
            fleet.start()
        assert [engine.pid for engine in fleet.engines] == [None] * 3


def test_turns_are_taken_one_after_another(tmp_path: Path) -> None:
    stop, order = threading.Event(), []
    one, other = (Turn(tmp_path / "turn", stop) for _ in range(2))

    def wait() -> None:
        with other.taken() as mine:
            order.append(("other", mine))

    with one.taken() as mine:
        assert mine
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.5)
        order.append(("one", mine))
    waiting.join(10)
    assert order == [("one", True), ("other", True)]


def test_nobody_gets_a_turn_after_the_end(tmp_path: Path) -> None:
    stop, got = threading.Event(), []
    one, other = Turn(tmp_path / "turn", threading.Event()), Turn(tmp_path / "turn", stop)

    def wait() -> None:
        with other.taken() as mine:
            got.append(mine)

    with one.taken():
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.3)
        stop.set()
        waiting.join(10)
    assert got == [False]
