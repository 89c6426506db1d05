"""Long work: follow it, wait for it, cancel it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from hilum.errors import HilumError
from hilum.v1 import jobs_pb2

if TYPE_CHECKING:
    from hilum.client import Client


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stood when it was looked at."""

    job_id: str
    kind: str
    state: str
    stage: str
    done: int
    total: int
    eta_seconds: float | None
    counts: dict[str, int]
    result: dict[str, Any]
    error: str
    created_at: str
    finished_at: str
    _client: Client = field(repr=False, compare=False)

    @classmethod
    def of(cls, job: jobs_pb2.Job, client: Client) -> Job:
        progress = job.progress
        eta = progress.eta_seconds if progress.HasField("eta_seconds") else None
        return cls(
            job.job_id, job.kind, job.state, progress.stage, progress.done, progress.total, eta, dict(progress.counts),
            json_format.MessageToDict(job.result), job.error.message, job.created_at, job.finished_at, client,
        )  # fmt: skip

    @property
    def finished(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")

    def watch(self) -> Iterator[Job]:
        """The job whenever it changes, until it is finished."""
        return self._client.watch(self.job_id)

    def wait(self) -> Job:
        """The finished job. Raises HilumError when it failed or was cancelled."""
        *_, last = (self, *self.watch())
        if last.state != "succeeded":
            raise HilumError("FAILED_PRECONDITION", last.error or f"the job was {last.state}")
        return last

    def cancel(self) -> Job:
        """Ask it to stop."""
        return self._client.cancel(self.job_id)
