"""hilum.v1.AnalyticsService."""

from __future__ import annotations

import contextlib

from hilum.v1 import analytics_pb2, jobs_pb2
from services.analytics import admission, spec
from services.analytics.jobs import KIND, atlas_path
from services.core.errors import HilumError
from services.core.facts import Facts, images, jobs, models, runs
from services.core.types import JobState
from services.transport import paging
from services.transport.edge import Call, Route
from services.transport.jobs import job_message


class AnalyticsApi:
    """Submit analyses, look at what they found."""

    service = analytics_pb2.DESCRIPTOR.services_by_name["AnalyticsService"]
    routes = (
        Route("POST", "/v1/analytics/jobs", "CreateRun"),
        Route("GET", "/v1/runs", "ListRuns"),
        Route("GET", "/v1/runs/{run_id}", "GetRun"),
    )

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def create_run(self, request: analytics_pb2.CreateRunRequest, call: Call) -> jobs_pb2.Job:
        asked = spec.parse({
            "models": request.models or self._models(), "filter": request.filter, "sample_size": request.sample_size,
            "seed": request.seed, "k": request.k, "resolutions": request.resolutions, "labels": request.labels,
        })  # fmt: skip
        admission.check(self._facts, asked)
        job = jobs.submit(self._facts, KIND, asked.as_json(), request.request_id or None)
        if job.state is JobState.QUEUED:
            runs.save(self._facts, job.job_id, job.job_id, job.state.value, {"asked": asked.as_json()}, {})
        return job_message(job)

    def get_run(self, request: analytics_pb2.GetRunRequest, call: Call) -> analytics_pb2.Run:
        return self._message(runs.get(self._facts, request.run_id), with_metrics=True)

    def list_runs(self, request: analytics_pb2.ListRunsRequest, call: Call) -> analytics_pb2.ListRunsResponse:
        size = paging.size(request.page_size, 50)
        found = runs.recent(self._facts, paging.position(request.page_token), size)
        token = paging.token(f"{found[-1].created_at}/{found[-1].run_id}") if len(found) == size else ""
        return analytics_pb2.ListRunsResponse(runs=[self._message(run) for run in found], next_page_token=token)

    def _models(self) -> list[str]:
        held = images.count_by_model(self._facts)
        known = {name: model for name, model in models.active(self._facts).items() if held.get(model.fingerprint)}
        return [name for name, model in known.items() if not model.slices] or list(known)

    def _message(self, run: runs.Run, with_metrics: bool = False) -> analytics_pb2.Run:
        state = JobState(run.state)
        if not state.final and run.job_id:  # a job that was cancelled while it waited closed without its run
            with contextlib.suppress(HilumError):
                state = jobs.get(self._facts, run.job_id).state
        message = analytics_pb2.Run(run_id=run.run_id, state=state.value, created_at=run.created_at)
        message.manifest.update(run.manifest)
        if with_metrics:
            message.metrics.update(run.metrics)
        if state is JobState.SUCCEEDED:
            message.atlas = atlas_path(run.run_id)
        return message
