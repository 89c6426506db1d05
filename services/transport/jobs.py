"""Jobs of every kind, over both transports."""

from __future__ import annotations

import time
from collections.abc import Iterator

from hilum.v1 import common_pb2, jobs_pb2
from services.core.errors import invalid
from services.core.facts import Facts, jobs
from services.core.types import Job, Outcome
from services.transport import paging
from services.transport.edge import Call, Route

_LOOK_SECONDS = 0.2


def job_message(job: Job) -> jobs_pb2.Job:
    """A job as the contract states it."""
    progress = jobs_pb2.JobProgress(
        stage=job.progress.stage, done=job.progress.done, total=job.progress.total, counts=job.progress.counts
    )
    if job.progress.eta_seconds is not None:
        progress.eta_seconds = job.progress.eta_seconds
    message = jobs_pb2.Job(
        job_id=job.job_id, kind=job.kind, state=job.state.value, progress=progress, created_at=job.created_at,
        started_at=job.started_at or "", finished_at=job.finished_at or "",
    )  # fmt: skip
    message.result.update(job.result)
    if job.error:
        message.error.CopyFrom(common_pb2.Error(code=common_pb2.ErrorCode.INTERNAL, message=job.error))
    return message


class JobsApi:
    """hilum.v1.JobsService."""

    service = jobs_pb2.DESCRIPTOR.services_by_name["JobsService"]
    routes = (
        Route("GET", "/v1/jobs/{job_id}", "GetJob"),
        Route("GET", "/v1/jobs", "ListJobs"),
        Route("GET", "/v1/jobs/{job_id}/items", "ListJobItems"),
        Route("GET", "/v1/jobs/{job_id}:watch", "WatchJob"),
        Route("POST", "/v1/jobs/{job_id}:cancel", "CancelJob"),
    )

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def get_job(self, request: jobs_pb2.GetJobRequest, call: Call) -> jobs_pb2.Job:
        return job_message(jobs.get(self._facts, request.job_id))

    def list_jobs(self, request: jobs_pb2.ListJobsRequest, call: Call) -> jobs_pb2.ListJobsResponse:
        size = paging.size(request.page_size, 50)
        found = jobs.recent(self._facts, request.kind, paging.position(request.page_token), size)
        token = paging.token(f"{found[-1].created_at}/{found[-1].job_id}") if len(found) == size else ""
        return jobs_pb2.ListJobsResponse(jobs=map(job_message, found), next_page_token=token)

    def list_job_items(self, request: jobs_pb2.ListJobItemsRequest, call: Call) -> jobs_pb2.ListJobItemsResponse:
        if request.outcome and request.outcome not in set(Outcome):
            raise invalid(f"outcome is one of {', '.join(Outcome)}")
        jobs.get(self._facts, request.job_id)
        size = paging.size(request.page_size, 100)
        after = paging.position(request.page_token)
        found = jobs.items(self._facts, request.job_id, request.outcome, after, size)
        return jobs_pb2.ListJobItemsResponse(
            items=[
                jobs_pb2.JobItem(
                    ref=item.ref, outcome=item.outcome, image_id=item.image_id or "", reason=item.reason,
                    message=item.message,
                )
                for item in found
            ],
            next_page_token=paging.token(found[-1].ref) if len(found) == size else "",
        )  # fmt: skip

    def watch_job(self, request: jobs_pb2.GetJobRequest, call: Call) -> Iterator[jobs_pb2.Job]:
        jobs.get(self._facts, request.job_id)  # an unknown job is an error, not an empty stream
        return self._watch(request.job_id, call)

    def cancel_job(self, request: jobs_pb2.CancelJobRequest, call: Call) -> jobs_pb2.Job:
        jobs.get(self._facts, request.job_id)
        return job_message(jobs.cancel(self._facts, request.job_id))

    def _watch(self, job_id: str, call: Call) -> Iterator[jobs_pb2.Job]:
        last = None
        while not call.cancelled():
            job = jobs.get(self._facts, job_id)
            if job != last:
                yield job_message(job)
                last = job
            if job.state.final:
                return
            time.sleep(_LOOK_SECONDS)
