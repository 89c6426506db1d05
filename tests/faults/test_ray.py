"""An ingest spread over Ray workers, with facts in PostgreSQL: the same outcomes as on one machine, whatever dies.

Needs the ray extra, which is not in the lock for its 240 MB: without it these tests say that they skipped.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import jobs
from services.core.store import VectorStore
from services.encoders.registry import Registry
from services.engine.supervisor import EngineProcess
from services.ingest import distributed
from services.ingest.jobs import KIND
from services.ingest.pipeline import Pipeline, Plan
from services.ingest.progress import Tally
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.ingesting import Room, room, write_pictures
from tests.kit.postgres import Server

FILMS = 150
ROOT = Path(__file__).resolve().parents[2]


class Telling(TinyEncoder):
    """Takes its time, and says in `told` which process it is in."""

    def __init__(self, told: Path) -> None:
        super().__init__("tiny", 16)
        self._told = told

    def encode_images(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._told.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return super().encode_images(batch)


def telling(told: Path, _: Settings | None = None) -> Registry:
    return tiny_registry(Telling(told))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films, one of them twice under one key, and one that is none."""
    folder = tmp_path_factory.mktemp("films")
    write_pictures(folder, FILMS, side=64)
    (folder / "bad.png").write_bytes(b"no film")
    return folder


@contextmanager
def spread(tmp_path: Path, engine: EngineProcess, facts_url: str) -> Iterator[tuple[Room, Pipeline, Path]]:
    """A room whose ingests go over two Ray workers."""
    pytest.importorskip("ray", reason="needs the ray extra: pip install 'hilum[ray]'")
    told = tmp_path / "told"
    with room(tmp_path / "data", engine.url, telling(told), workers=1, facts_url=facts_url) as opened:
        opened.settings = replace(opened.settings, ray="auto")
        pipeline = Pipeline(
            opened.settings, opened.facts, opened.store, Blobs(opened.settings.data_dir / "blobs"), opened.registry,
            opened.pool, opened.secret, open_registry=partial(telling, told),
        )  # fmt: skip
        yield opened, pipeline, told


@pytest.fixture
def shared(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of the facts; and workers find the tests' modules."""
    paths = [str(ROOT), str(ROOT / "client"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with postgres.database() as url:
        yield url


def test_a_worker_is_killed_and_nothing_is_lost_or_doubled(
    tmp_path: Path, engine: EngineProcess, store: VectorStore, films: Path, shared: str
) -> None:
    with spread(tmp_path, engine, shared) as (opened, pipeline, told):
        plan, killed, over = Plan(str(films), "demo"), list[int](), threading.Event()
        job = jobs.submit(opened.facts, KIND, asdict(plan))

        def kill() -> None:
            while not told.exists():
                if over.wait(0.01):
                    return
            killed.append(int(told.read_text().split()[0]))
            os.kill(killed[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            result = pipeline.run(job.job_id, plan, Tally(), lambda: False)
        finally:
            over.set()
            killer.join()
        assert killed and (result["stored"], result["quarantined"]) == (FILMS, 1)
        assert len(opened.everywhere()) == FILMS
        workers = set(map(int, told.read_text().split()))
        assert len(workers) >= 2 and os.getpid() not in workers, "the films were encoded by workers"
        assert len(opened.items(job)) == FILMS + 1
        assert Counter(item.outcome.value for item in opened.items(job)) == {"stored": FILMS, "quarantined": 1}


@pytest.mark.slow
def test_a_job_that_is_stopped_goes_on_where_it_was_and_repeats_and_conflicts_are_told(
    tmp_path: Path, engine: EngineProcess, store: VectorStore, films: Path, shared: str
) -> None:
    source = tmp_path / "films"
    shutil.copytree(films, source)
    rows = ["file,image_id", *(f"film-{n:04d}.png,key-{n}" for n in range(FILMS - 2))]
    rows += [f"film-{FILMS - 2:04d}.png,key-0", f"film-{FILMS - 1:04d}.png,key-1"]
    shutil.copy(source / "film-0001.png", source / f"film-{FILMS - 1:04d}.png")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    with spread(tmp_path, engine, shared) as (opened, pipeline, told):
        plan = Plan(str(source), "demo", labels=str(tmp_path / "labels.csv"))
        job = jobs.submit(opened.facts, KIND, asdict(plan))
        pipeline.run(job.job_id, plan, Tally(), told.exists)
        assert 0 < len(opened.items(job)) < FILMS
        pipeline.run(job.job_id, plan, Tally(), lambda: False)
        found = Counter(item.outcome.value for item in opened.items(job))
        assert found["duplicate"] == found["conflict"] == found["quarantined"] == 1
        assert found["stored"] + found["unchanged"] == FILMS - 2 == len(opened.everywhere())


def test_a_cluster_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    settings = Settings(tmp_path, ray="127.0.0.1:1")
    with pytest.raises(HilumError) as refused:
        distributed._connected(settings)
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION


def test_each_gpu_gets_a_worker_that_sees_no_other_and_without_gpus_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="needs the ray extra: pip install 'hilum[ray]'")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    settings = Settings(ROOT, decode_workers=2)

    def seen() -> str:
        time.sleep(0.2)  # so that both are at work
        return os.environ["CUDA_VISIBLE_DEVICES"]

    for gpus, resources in ((2, {"num_gpus": 1, "num_cpus": 1.5}), (0, {"num_cpus": 1})):
        ray.init(num_cpus=3, num_gpus=gpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        try:
            count, each = distributed._workers(ray, settings)
            assert (count, each) == (gpus or 3, resources)
            if gpus:
                asked = [ray.remote(**each)(seen).remote() for _ in range(count)]
                assert set(ray.get(asked)) == {"0", "1"}
        finally:
            ray.shutdown()


def test_loopback_is_known_by_any_of_its_names() -> None:
    assert all(map(distributed._loopback, ("127.0.0.1:6334", "http://localhost:6334", "http://[::1]:6334")))
    assert not any(map(distributed._loopback, ("http://qdrant:6334", "10.0.0.4:6334")))
