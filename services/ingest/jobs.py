"""The worker that takes ingest jobs: one at a time, reported as it goes, stopped when asked, resumed later."""

from __future__ import annotations

import errno
import threading
import uuid

from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import HilumError
from services.core.facts import Facts, jobs
from services.core.logs import get_logger
from services.core.store import VectorStore
from services.core.types import Job, JobState
from services.encoders.registry import Registry
from services.ingest.crash import Reached, nowhere
from services.ingest.decode_pool import DecodePool
from services.ingest.pipeline import Pipeline, Plan, Tally

log = get_logger("ingest")

KIND = "ingest"
_LOOK_SECONDS = 0.25
_BEAT_SECONDS = 0.5


class IngestWorker:
    """A thread that works off ingest jobs. `start` and `stop` may be called once each."""

    def __init__(
        self, settings: Settings, facts: Facts, store: VectorStore, blobs: Blobs, registry: Registry, pool: DecodePool,
        secret: bytes, reached: Reached = nowhere,
    ) -> None:  # fmt: skip
        self._facts = facts
        self._pipeline = Pipeline(settings, facts, store, blobs, registry, pool, secret, reached)
        self._owner = uuid.uuid4().hex
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="ingest", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 60.0) -> None:
        """Finish the batch at hand and give the job back: the next start goes on from there."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        jobs.release(self._facts, self._owner)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                job = jobs.take(self._facts, KIND, self._owner)
                if job is not None:
                    self._work(job)
                    continue
            except Exception as error:  # the worker outlives whatever a job, or the database, does to it
                log.exception("worker.failed", error)
            self._stopping.wait(_LOOK_SECONDS)

    def _work(self, job: Job) -> None:
        log.info("job.started", job_id=job.job_id, kind=KIND)
        tally = Tally()
        with _Heart(self._facts, job.job_id, self._owner, tally, self._stopping) as heart:
            state, result, message = JobState.FAILED, dict[str, object](), None
            try:
                result = self._pipeline.run(job.job_id, Plan.of(job.spec), tally, heart.stopped)
                state = JobState.CANCELLED if heart.stopped() else JobState.SUCCEEDED
            except HilumError as error:
                message = error.client_message
            except OSError as error:
                message = _disk(error)
                log.exception("job.failed", error, job_id=job.job_id)
            except Exception as error:
                message = "the ingest failed unexpectedly; what was stored stays. Submit it again to go on from there"
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
        self._thread = threading.Thread(target=self._run, name="ingest-heart", daemon=True)

    def stopped(self) -> bool:
        """Cancelled, taken over by somebody else, or the whole worker is to stop."""
        return self._halt.is_set() or self._stopping.is_set()

    def beat(self) -> None:
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
    return "a file of the data folder cannot be written; check the disk and submit the job again to go on"
