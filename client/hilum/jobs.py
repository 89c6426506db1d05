"""Long work: follow it, wait for it, cancel it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from google.protobuf import json_format

from hilum.errors import HilumError
from hilum.v1 import jobs_pb2


@dataclass(frozen=True, slots=True)
class _Looked:
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
    _client: Any = field(repr=False, compare=False)

    @classmethod
    def of(cls, job: jobs_pb2.Job, client: Any) -> Self:
        progress = job.progress
        eta = progress.eta_seconds if progress.HasField("eta_seconds") else None
        return cls(
            job.job_id, job.kind, job.state, progress.stage, progress.done, progress.total, eta, dict(progress.counts),
            json_format.MessageToDict(job.result), job.error.message, job.created_at, job.finished_at, client,
        )  # fmt: skip

    @property
    def finished(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")

    def _succeeded(self) -> Self:
        if self.state != "succeeded":
            raise HilumError("FAILED_PRECONDITION", self.error or f"the job was {self.state}")
        return self


class Job(_Looked):
    """A job of `Client`, as it stood when it was looked at."""

    def watch(self) -> Iterator[Job]:
        """The job whenever it changes, until it is finished."""
        return self._client.watch(self.job_id)

    def wait(self) -> Job:
        """The finished job. Raises HilumError when it failed or was cancelled."""
        *_, last = (self, *self.watch())
        return last._succeeded()

    def cancel(self) -> Job:
        """Ask it to stop."""
        return self._client.cancel(self.job_id)


class AsyncJob(_Looked):
    """A job of `AsyncClient`, as it stood when it was looked at."""

    def watch(self) -> AsyncIterator[AsyncJob]:
        """The job whenever it changes, until it is finished."""
        return self._client.watch(self.job_id)

    async def wait(self) -> AsyncJob:
        """The finished job. Raises HilumError when it failed or was cancelled."""
        *_, last = [self] + [job async for job in self.watch()]
        return last._succeeded()

    async def cancel(self) -> AsyncJob:
        """Ask it to stop."""
        return await self._client.cancel(self.job_id)
