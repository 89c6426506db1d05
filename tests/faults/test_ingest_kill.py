"""Pull the plug at every stage of an ingest: nothing acknowledged is lost, nothing doubled, nothing encoded twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from services.core.facts import images, jobs
from services.core.store import VectorStore
from services.core.types import JobState, Outcome
from services.engine.supervisor import EngineProcess
from services.ingest.decode_pool import DecodePool
from tests.kit.encoders import tiny_registry
from tests.kit.ingest_process import counted, encoders, start
from tests.kit.ingesting import Room, room, write_pictures

FILMS, BAD = 100, 3
POINTS = (
    "listed", "decoded#2", "encoded#2", "after_upsert:tiny", "after_upsert:small", "before_commit", "after_commit",
    "before_finish",
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films, and among them files that are none."""
    folder = tmp_path_factory.mktemp("source")
    write_pictures(folder, FILMS, side=64)
    for i in range(BAD):
        (folder / f"film-{i * 40:04d}-bad.png").write_bytes(b"not a film")
    return folder


def crashed(data: Path, engine: EngineProcess, source: Path, point: str) -> None:
    running = start(data, engine.url, source, point)
    running.join(120)
    assert running.exitcode == -signal.SIGKILL, f"did not die at {point}"


def finished(data: Path, engine: EngineProcess, source: Path) -> None:
    running = start(data, engine.url, source)
    running.join(120)
    assert running.exitcode == 0


def look(data: Path, engine: EngineProcess) -> Room:
    """The room as the dead process left it; close its store and facts after use."""
    from services.core.config import Settings
    from services.core.facts import open_facts

    settings = Settings(data_dir=data, engine_url=engine.url)
    registry = tiny_registry(*encoders(data))
    return Room(settings, open_facts(settings.facts), VectorStore(engine.url), registry, DecodePool(1), b"")


def held(opened: Room) -> dict[str, set[str]]:
    """model → ids in its collection."""
    there = opened.store.collections()
    specs = list(opened.registry.specs().values())
    return {s.name: set(opened.store.vectors(s)[0]) if s.collection in there else set() for s in specs}


def assert_nothing_is_claimed_that_is_not_there(data: Path, engine: EngineProcess) -> dict[str, set[str]]:
    """After a crash: a film is in the facts only if every collection has it."""
    opened = look(data, engine)
    try:
        there = held(opened)
        facts = images.ids_of(opened.facts)
        assert all(facts <= ids for ids in there.values())
        for spec in opened.registry.specs().values():
            assert images.ids_of(opened.facts, spec.fingerprint) == facts
        return there
    finally:
        opened.store.close()
        opened.facts.close()


def assert_whole(data: Path, engine: EngineProcess) -> None:
    """After the last run: all films everywhere, once; every file has one outcome."""
    opened = look(data, engine)
    try:
        assert len(opened.everywhere()) == FILMS
        [job] = jobs.recent(opened.facts)
        items = opened.items(job)
        assert job.state is JobState.SUCCEEDED and len(items) == FILMS + BAD == job.progress.done
        assert sum(item.outcome is Outcome.QUARANTINED for item in items) == BAD == job.result["quarantined"]
        assert len({item.image_id for item in items if item.image_id}) == FILMS
    finally:
        opened.store.close()
        opened.facts.close()


def test_killed_at_every_stage_of_one_job_one_after_the_other(
    tmp_path: Path, engine: EngineProcess, store: VectorStore, source: Path
) -> None:
    data = tmp_path / "data"
    for point in POINTS:
        crashed(data, engine, source, point)
        there = assert_nothing_is_claimed_that_is_not_there(data, engine)
    encoded = counted(data)
    finished(data, engine, source)
    assert counted(data) == encoded, "all was stored by the last crash, so the last run encodes nothing"
    assert {name: len(ids) for name, ids in there.items()} == dict.fromkeys(("tiny", "small"), FILMS)
    assert_whole(data, engine)


@pytest.mark.slow
@pytest.mark.parametrize("point", [f"{point.split('#')[0]}#{nth}" for point in POINTS[:-1] for nth in (1, 2)])
def test_a_resumed_job_encodes_only_what_is_missing(
    tmp_path: Path, engine: EngineProcess, store: VectorStore, source: Path, point: str
) -> None:
    data = tmp_path / "data"
    if point == "listed#2":
        pytest.skip("a process lists once")
    crashed(data, engine, source, point)
    there = assert_nothing_is_claimed_that_is_not_there(data, engine)
    before = counted(data)
    finished(data, engine, source)
    after = counted(data)
    assert {name: after[name] - before[name] for name in after} == {name: FILMS - len(there[name]) for name in there}
    assert_whole(data, engine)


def killed_at_random(tmp_path: Path, engine: EngineProcess, source: Path, times: int) -> None:
    seed = int(os.environ.get("HILUM_SEED", random.SystemRandom().randrange(10**9)))
    print(f"HILUM_SEED={seed}")
    rng = random.Random(seed)
    data = tmp_path / "data"
    for _ in range(times):
        running = start(data, engine.url, source)
        time.sleep(rng.uniform(0.1, 2.5))
        running.kill()
        running.join()
        there = assert_nothing_is_claimed_that_is_not_there(data, engine)
    before = counted(data)
    finished(data, engine, source)
    after = counted(data)
    assert {name: after[name] - before[name] for name in after} == {name: FILMS - len(there[name]) for name in there}
    assert_whole(data, engine)


def test_killed_at_random_moments(tmp_path: Path, engine: EngineProcess, store: VectorStore, source: Path) -> None:
    killed_at_random(tmp_path, engine, source, 5)


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(4))
def test_killed_at_more_random_moments(
    tmp_path: Path, engine: EngineProcess, store: VectorStore, source: Path, round_: int
) -> None:
    killed_at_random(tmp_path, engine, source, 5)


def test_the_engine_killed_while_films_are_written(tmp_path: Path, own_engine: EngineProcess, source: Path) -> None:
    with room(tmp_path / "data", own_engine.url) as opened:
        over = threading.Event()

        def kill() -> None:
            for _ in range(3):
                if over.wait(0.7) or own_engine.pid is None:
                    return
                with contextlib.suppress(ProcessLookupError):
                    os.kill(own_engine.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        job = opened.submit(source)
        worker = opened.worker()
        worker.start()
        killer.start()
        done = opened.wait(job.job_id)
        over.set()
        killer.join()
        worker.stop()
        assert done.state is JobState.SUCCEEDED, done.error
        assert len(opened.everywhere()) == FILMS
        assert own_engine.restarts >= 1
