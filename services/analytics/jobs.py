"""Take analysis jobs, one at a time, and have a child process do each."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from services.analytics import kinds, manifest
from services.core import attempts
from services.core.config import Settings
from services.core.errors import HilumError
from services.core.facts import Facts, jobs, runs, sets
from services.core.logs import get_logger
from services.core.types import Job, JobProgress, JobState

KIND = "analyze"
_BEAT_SECONDS = 0.5
_IDLE_SECONDS = 0.3

log = get_logger("analytics")


class AnalyticsWorker:
    """A thread that takes jobs of kind ``analyze``. A run has the id of the job that made it.

    `settings` must carry the engine's address (`Settings.with_engine`); `start` and `stop` once each.
    """

    def __init__(self, settings: Settings, facts: Facts) -> None:
        self._settings = settings
        self._facts = facts
        self._owner = f"analytics-{uuid.uuid4()}"
        self._stopping = threading.Event()
        self.child_pid: int | None = None  # of the process at work now
        self._thread = threading.Thread(target=self._loop, name="analytics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the child, and give its job back for the next start to take up."""
        self._stopping.set()
        self._thread.join()
        jobs.release(self._facts, self._owner)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                job = jobs.take(self._facts, KIND, self._owner)
                if job is None:
                    self._stopping.wait(_IDLE_SECONDS)
                    continue
                self._work(job)
            except HilumError as error:  # the database is away: the job waits for it
                log.warning("jobs.paused", code=error.code.value)
                self._stopping.wait(1.0)
            except Exception as error:
                log.exception("jobs.failed", error)
                self._stopping.wait(1.0)

    def _work(self, job: Job) -> None:
        folder = manifest.runs_dir(self._settings.data_dir)
        final = folder / job.job_id
        log.info("run.started", job_id=job.job_id)
        runs.save(self._facts, job.job_id, job.job_id, JobState.RUNNING.value, described(job.spec), {})
        if not (final / "manifest.json").is_file():  # else it was done, and only telling was left
            part = manifest.begin(folder, job.job_id)
            state, error = self._in_child(job, part)
            if state is not JobState.SUCCEEDED:
                manifest.discard(folder, job.job_id)
                if state is not None:
                    self._close(job, state, error)
                return
            manifest.complete(part, folder, job.job_id)
        self._close(job, JobState.SUCCEEDED, None, final)

    def _close(self, job: Job, state: JobState, error: str | None, final: Path | None = None) -> None:
        about = manifest.read_json(final / "manifest.json") if final else described(job.spec)
        figures = manifest.read_json(final / "metrics.json") if final else {}
        runs.save(self._facts, job.job_id, job.job_id, state.value, about, figures)
        if final is None:
            sets.withdraw(self._facts, job.job_id)
        if state is not JobState.FAILED:  # asked again, a run that failed is taken up where it stopped
            attempts.drop(self._settings.data_dir, kinds.parse(job.spec).as_json())
        result = {"run_id": job.job_id, "report": report_path(job.job_id)} if final else {}
        if follow := self._follow(job, about) if final else []:
            result["follow"] = follow
        if final and (final / "atlas").is_dir():
            result["atlas"] = atlas_path(job.job_id)
        jobs.finish(self._facts, job.job_id, self._owner, state, result, error)
        log.info("run.finished", job_id=job.job_id, state=state.value)

    def _follow(self, job: Job, about: Mapping[str, Any]) -> list[str]:
        """Submit the jobs that the run's manifest asks for now that its files are in place, once; their ids."""
        asked: Any = about.get("follow") or []
        return [
            jobs.submit(self._facts, one["kind"], one["spec"], f"{job.job_id}-{number}").job_id
            for number, one in enumerate(asked)
        ]

    def _in_child(self, job: Job, part: Path) -> tuple[JobState | None, str | None]:
        """How the work in the child ended; None when the job is to be left for another start."""
        spec = part / "asked.json"
        manifest.write_json(spec, job.spec)
        command = [sys.executable, "-m", "services.analytics.worker", "--run-dir", str(part), "--run-id", job.job_id]
        child = subprocess.Popen(
            [*command, "--spec", str(spec)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(self._settings), start_new_session=True,
        )  # fmt: skip
        self.child_pid = child.pid
        progress, last, told = JobProgress(stage="starting"), {}, 0.0
        try:
            for message in _messages(child):
                if self._stopping.is_set():
                    return None, None
                if "stage" in message:
                    progress = JobProgress(**message)
                elif message:
                    last = message
                if time.monotonic() - told < _BEAT_SECONDS:
                    continue
                told = time.monotonic()
                if not jobs.beat(self._facts, job.job_id, self._owner, progress):
                    return JobState.CANCELLED, None  # if it is somebody else's by now, closing it does nothing
        finally:
            self.child_pid = None
            _end(child)
        spec.unlink(missing_ok=True)
        if last.get("ok"):
            return JobState.SUCCEEDED, None
        return JobState.FAILED, str(last.get("message") or _ended(child.returncode))


def described(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a run before there is one. spec: of its job."""
    return {"kind": kinds.parse(spec).kind, "asked": dict(spec)}


def report_path(run_id: str) -> str:
    """Below the HTTP root."""
    return f"/v1/runs/{run_id}/report"


def atlas_path(run_id: str) -> str:
    """Below the HTTP root."""
    return f"/v1/runs/{run_id}/atlas/"


def environment(settings: Settings) -> dict[str, str]:
    """What the child needs to find state: the environment, with the settings in force over it."""
    root = str(Path(__file__).resolve().parents[2])
    environ = dict(os.environ)
    environ["PYTHONPATH"] = os.pathsep.join(p for p in (root, environ.get("PYTHONPATH", "")) if p)
    environ |= {
        "HILUM_DATA": str(settings.data_dir), "HILUM_ENGINE_URL": settings.engine_url,
        "HILUM_FACTS_URL": settings.facts,
    }  # fmt: skip
    if settings.engine_api_key:
        environ["HILUM_ENGINE_API_KEY"] = settings.engine_api_key
    if settings.encode:
        environ["HILUM_ENCODE"] = settings.encode
    if settings.threads:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
            environ[name] = str(settings.threads)
    return environ


def _messages(child: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """What the child says, line by line, and an empty message at each beat in between; ends when the child has."""
    said: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            said.put(line)
        said.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = said.get(timeout=_BEAT_SECONDS)
        except queue.Empty:
            yield {}
            continue
        if line is None:
            child.wait()
            return
        if line.startswith("{"):
            yield json.loads(line)


def _end(child: subprocess.Popen[str]) -> None:
    """Kill what is left of the child and its children. It holds nothing: its folder is thrown away."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def _ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return (
            "the analysis process was killed, most often for want of memory; ask again and it goes on where it stopped,"
            " or ask for a smaller sample_size"
        )
    told = "signal" if code < 0 else "exit code"
    return f"the analysis process ended unexpectedly ({told} {abs(code)}); ask again and it goes on where it stopped"
