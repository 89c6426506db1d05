"""A whole ingest in one place: facts, engine, decode children and worker, as the all-in-one process has them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import Facts, images, jobs, open_facts
from services.core.ids import load_secret
from services.core.store import VectorStore
from services.core.types import Job, JobItem
from services.encoders.registry import Registry
from services.ingest.crash import Reached, nowhere
from services.ingest.decode_pool import DecodePool
from services.ingest.jobs import KIND, IngestWorker
from services.ingest.pipeline import Plan
from tests.kit.encoders import tiny_registry

SHARED = Path(__file__).resolve().parents[3] / "shared"
REAL_CXR = SHARED / "data" / "real_cxr"
FIXTURES = SHARED / "tools" / "dicom_fixtures.py"


@dataclass
class Room:
    """An ingest at work on one data folder."""

    settings: Settings
    facts: Facts
    store: VectorStore
    registry: Registry
    pool: DecodePool
    secret: bytes
    reached: Reached = nowhere

    def worker(self) -> IngestWorker:
        blobs = Blobs(self.settings.data_dir / "blobs")
        return IngestWorker(
            self.settings, self.facts, self.store, blobs, self.registry, self.pool, self.secret, self.reached
        )

    def submit(self, source: Path, dataset: str = "demo", **plan: object) -> Job:
        paths = {name: str(value) for name, value in plan.items() if isinstance(value, Path)}
        return jobs.submit(self.facts, KIND, asdict(Plan(str(source), dataset, **{**plan, **paths})))  # type: ignore[arg-type]

    def ingest(self, source: Path, dataset: str = "demo", **plan: object) -> Job:
        """Submit and work it off."""
        job = self.submit(source, dataset, **plan)
        worker = self.worker()
        worker.start()
        try:
            return self.wait(job.job_id)
        finally:
            worker.stop()

    def wait(self, job_id: str, seconds: float = 300) -> Job:
        deadline = time.monotonic() + seconds
        while not (job := jobs.get(self.facts, job_id)).state.final:
            assert time.monotonic() < deadline, f"the job is still {job.state} at {job.progress}"
            time.sleep(0.02)
        return job

    def items(self, job: Job) -> list[JobItem]:
        return jobs.items(self.facts, job.job_id, size=10_000)

    def everywhere(self) -> set[str]:
        """The ids of all films; facts, ledger and every collection hold the same ones, once each."""
        ids = images.ids_of(self.facts)
        for spec in self.registry.specs().values():
            held, _ = self.store.vectors(spec)
            assert len(held) == len(set(held)), "a film is stored twice"
            assert set(held) == ids == images.ids_of(self.facts, spec.fingerprint)
        return ids


@contextmanager
def room(
    data: Path, engine_url: str, registry: Registry | None = None, reached: Reached = nowhere, workers: int = 2,
    facts_url: str = "",
) -> Iterator[Room]:  # fmt: skip
    """Open a room over `data` and the engine at `engine_url`."""
    settings = Settings(data_dir=data, engine_url=engine_url, facts_url=facts_url, decode_workers=workers)
    facts, store, pool = open_facts(settings.facts), VectorStore(engine_url), DecodePool(workers)
    try:
        yield Room(settings, facts, store, registry or tiny_registry(), pool, load_secret(data), reached)
    finally:
        pool.close()
        store.close()
        facts.close()


def write_pictures(folder: Path, count: int, seed: int = 0, side: int = 96) -> list[str]:
    """`count` different grey PNGs in `folder`; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"film-{i:04d}.png" for i in range(count)]
    for i, name in enumerate(names):
        coarse = np.random.default_rng([seed, i]).integers(0, 256, (12, 12), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(folder / name)
    return names


def too_deep(folder: Path) -> None:
    """Folders in folders until no path names them: nobody can open them, whoever he is."""
    name, at = "d" * 250, os.open(folder, os.O_RDONLY)
    for _ in range(17):
        os.mkdir(name, dir_fd=at)
        at, above = os.open(name, os.O_RDONLY, dir_fd=at), at
        os.close(above)
    os.close(at)


def status_kib(pid: int, name: str) -> int:
    """A figure of /proc/PID/status in KiB, e.g. ``VmHWM``: the most memory it ever had resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
