"""A run end to end, as `hilum up` makes it: the engine and the analysis in processes of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hilum.v1 import analytics_pb2

from services.analytics import manifest
from services.analytics.api import AnalyticsApi
from services.analytics.jobs import AnalyticsWorker
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import Facts, jobs
from services.core.store import VectorStore
from services.core.types import Job, JobState
from services.engine.supervisor import EngineProcess
from services.transport.edge import Call
from tests.kit import clustered
from tests.kit.records import make_spec

FILMS = 360


@dataclass
class Lab:
    """An archive, the service's api over it, and the worker that does its jobs."""

    settings: Settings
    facts: Facts
    api: AnalyticsApi
    worker: AnalyticsWorker

    @property
    def runs(self) -> Path:
        return manifest.runs_dir(self.settings.data_dir)

    def submit(self, **asked: object) -> str:
        return self.api.create_run(analytics_pb2.CreateRunRequest(**asked), Call("test")).job_id  # type: ignore[arg-type]

    def wait(self, job_id: str, seconds: float = 120) -> Job:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            job = jobs.get(self.facts, job_id)
            if job.state.final:
                return job
            time.sleep(0.1)
        raise AssertionError(f"the job is still {job.state} at {job.progress}")


@pytest.fixture
def lab(tmp_path: Path, facts: Facts, store: VectorStore, engine: EngineProcess) -> Iterator[Lab]:
    settings = Settings(data_dir=tmp_path, facts_url=f"sqlite:///{tmp_path / 'facts.db'}", threads=1)
    settings = settings.with_engine(engine.url)
    specs = [make_spec("sharp", 24), make_spec("blunt", 16)]
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), specs, FILMS)
    worker = AnalyticsWorker(settings, facts)
    yield Lab(settings, facts, AnalyticsApi(facts), worker)


def test_run(lab: Lab) -> None:
    job_id = lab.submit(resolutions=[1.0, 3.0], seed=7)
    lab.worker.start()
    job = lab.wait(job_id)
    lab.worker.stop()
    assert job.state is JobState.SUCCEEDED, job.error
    print(job)
