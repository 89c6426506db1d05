"""The worker that takes ingest's jobs: one of a lane at a time, reported as it goes, stopped when asked, resumed later.

Whatever stores vectors waits in one lane; a promotion, which only reads them, has another and waits for no ingest.
"""

from __future__ import annotations

import errno
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import partial

from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import HilumError
from services.core.facts import Facts, jobs
from services.core.logs import get_logger
from services.core.store import VectorStore
from services.core.types import Job, JobState
from services.encoders.registry import Registry
from services.ingest import embeddings, fill, promotion, promotions, register, report_index
from services.ingest.crash import Reached, nowhere
from services.ingest.decode_pool import DecodePool
from services.ingest.pipeline import Pipeline, Plan
from services.ingest.progress import Tally

log = get_logger("ingest")

KIND = "ingest"
Run = Callable[[str, Mapping[str, object], Tally, Callable[[], bool]], dict[str, object]]
_LOOK_SECONDS = 0.25
_BEAT_SECONDS = 0.5


class IngestWorker:
    """A thread that works off ingest jobs. `start` and `stop` may be called once each."""

    def __init__(
        self, settings: Settings, facts: Facts, store: VectorStore, blobs: Blobs, registry: Registry, pool: DecodePool,
        secret: bytes, reached: Reached = nowhere,
    ) -> None:  # fmt: skip
        self._facts = facts
        self._store = store
        pipeline = Pipeline(settings, facts, store, blobs, registry, pool, secret, reached)
        ready_made = embeddings.Embeddings(settings, facts, store, secret, reached)
        filling = fill.Fill(settings, facts, store, registry, secret, reached)
        reading = report_index.ReportIndex(settings, facts, store, registry, reached)
        promoting = promotions.Promotions(facts, store, reached)
        storing: dict[str, Run] = {
            KIND: lambda job_id, spec, tally, stopped: self._followed(
                job_id, registry, pipeline.run(job_id, Plan.of(spec, secret), tally, stopped)
            ),
            embeddings.KIND: ready_made.run,
            fill.KIND: filling.run,
            register.KIND: register.Register(settings, registry, filling).run,
            report_index.KIND: reading.run,
        }
        self._owner = uuid.uuid4().hex
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=partial(self._loop, runs), name=name, daemon=True)
            for name, runs in (("ingest", storing), ("promotions", {promotions.KIND: promoting.run}))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 60.0) -> None:
        """Finish the batch at hand and give the job back: the next start goes on from there."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout)
        jobs.release(self._facts, self._owner)

    def _loop(self, runs: Mapping[str, Run]) -> None:
        mended = promotions.KIND not in runs
        while not self._stopping.is_set():
            try:
                if not mended:
                    for name in promotion.mend(self._facts, self._store):
                        log.warning("alias.mended", model=name)
                    mended = True
                for kind, run in runs.items():
                    if (job := jobs.take(self._facts, kind, self._owner)) is not None:
                        self._work(job, run)
                        break
                else:
                    self._stopping.wait(_LOOK_SECONDS)
                continue
            except Exception as error:  # the worker outlives whatever a job, or the database, does to it
                log.exception("worker.failed", error)
            self._stopping.wait(_LOOK_SECONDS)

    def _followed(self, job_id: str, registry: Registry, result: dict[str, object]) -> dict[str, object]:
        """Have models filled whose vectors follow from those that an ingest has just stored."""
        stored = result.get("models")
        fingerprints = set(stored.values()) if isinstance(stored, dict) else set()
        for spec in [spec for spec in registry.specs().values() if spec.fingerprint in fingerprints]:
            for name in registry.derived(spec):
                jobs.submit(
                    self._facts, fill.KIND, {"model": name, "dataset": ""}, str(uuid.uuid5(uuid.UUID(job_id), name))
                )
        return result

    def _work(self, job: Job, run: Run) -> None:
        log.info("job.started", job_id=job.job_id, kind=job.kind)
        tally = Tally()
        with _Heart(self._facts, job.job_id, self._owner, tally, self._stopping) as heart:
            state, result, message = JobState.FAILED, dict[str, object](), None
            try:
                result = run(job.job_id, job.spec, tally, heart.stopped)
                state = JobState.CANCELLED if heart.stopped() else JobState.SUCCEEDED
            except HilumError as error:
                message = error.client_message
            except OSError as error:
                message = _disk(error)
                log.exception("job.failed", error, job_id=job.job_id)
            except Exception as error:
                message = "the job failed unexpectedly; what was stored stays. Submit it again to go on from there"
                log.exception("job.failed", error, job_id=job.job_id)
            heart.beat()
        if self._stopping.is_set() and state is not JobState.SUCCEEDED:
            return  # `stop` gives the job back
        jobs.finish(self._facts, job.job_id, self._owner, state, result, message)
        log.info("job.ended", job_id=job.job_id, state=state.value, total=tally.total, **tally.counts)


class _Heart:
    """Beats beside the work, so that a long batch does not look like a dead owner."""

    def __init__(self, facts: Facts, job_id: str, owner: str, tally: Tally, stopping: threading.Event) -> None:
        self._facts, self._job_id, self._owner, self._tally = facts, job_id, owner, tally
        self._stopping, self._halt, self._over = stopping, threading.Event(), threading.Event()
        self._one = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="ingest-heart", daemon=True)

    def stopped(self) -> bool:
        """Cancelled, taken over by somebody else, or the whole worker is to stop."""
        return self._halt.is_set() or self._stopping.is_set()

    def beat(self) -> None:
        """Also called at the job's end: the last word is then the last that is written, however long others wait."""
        with self._one:
            if not jobs.beat(self._facts, self._job_id, self._owner, self._tally.progress()):
                self._halt.set()

    def _run(self) -> None:
        while not self._over.wait(_BEAT_SECONDS):
            try:
                self.beat()
            except HilumError as error:
                log.warning("heartbeat.missed", code=error.code.value, job_id=self._job_id)

    def __enter__(self) -> _Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _disk(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk with the data folder is full; free some room and submit the job again to go on"
    return (
        "a file cannot be read or written; check the disks of source and data folder, and submit the job again to go on"
    )
