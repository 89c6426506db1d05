"""An ingest in a process of its own, to be killed. What each model encodes is counted in DATA/encoded.<model>."""

from __future__ import annotations

import sys
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from services.core.facts import jobs
from services.core.types import JobState
from services.ingest.crash import killed_at
from services.ingest.jobs import KIND
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.ingesting import room


def encoders(data: Path) -> list[TinyEncoder]:
    """Two encoders that keep count in `data`."""
    specs = (("tiny", 16), ("small", 24))
    return [TinyEncoder(name, dim, tally=data / f"encoded.{name}") for name, dim in specs]


def counted(data: Path) -> dict[str, int]:
    """Films encoded so far by every process on `data`, by model."""
    files = {name: data / f"encoded.{name}" for name in ("tiny", "small")}
    return {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}


def run(data: Path, engine: str, source: Path, crash_at: str = "") -> None:
    """Work off the job to its end, or to the point that is to kill this process. Exits with 1 unless it succeeded."""
    data.mkdir(parents=True, exist_ok=True)
    with room(data, engine, tiny_registry(*encoders(data)), killed_at(crash_at)) as opened:
        jobs.orphans(opened.facts)
        known = jobs.recent(opened.facts, KIND)
        job = known[0] if known else opened.submit(source)
        worker = opened.worker()
        worker.start()
        done = opened.wait(job.job_id)
        worker.stop()
    sys.exit(0 if done.state is JobState.SUCCEEDED else 1)


def start(*arguments: object) -> BaseProcess:
    """`run` in a process of its own, forked from one that has imported everything and done nothing."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=run, args=arguments)
    process.start()
    return process
