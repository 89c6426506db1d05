"""hilum.v1.AnalyticsService."""

from __future__ import annotations

import contextlib

from google.protobuf import json_format

from hilum.v1 import analytics_pb2, common_pb2, jobs_pb2
from services.analytics import kinds, manifest, seen
from services.analytics.asked import MAP
from services.analytics.jobs import KIND, atlas_path, described, report_path
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, jobs, models, runs
from services.core.limits import MAX_MESSAGE_BYTES
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

    def __init__(self, settings: Settings, facts: Facts) -> None:
        self._facts = facts
        self._runs = manifest.runs_dir(settings.data_dir)

    def create_run(self, request: analytics_pb2.CreateRunRequest, call: Call) -> jobs_pb2.Job:
        given = json_format.MessageToDict(request, preserving_proto_field_name=True)
        given["filter"] = seen.narrowed(call.access, request.filter)
        unnamed = self._models() if kinds.named(given).every_model else []
        asked = kinds.parse({**given, "models": given.get("models") or unnamed})
        asked.check(self._facts)
        spec = asked.as_json()
        job = jobs.submit(self._facts, KIND, spec, request.request_id or None)
        if job.state is JobState.QUEUED:
            runs.save(self._facts, job.job_id, job.job_id, job.state.value, described(spec), {})
        return job_message(job)

    def get_run(self, request: analytics_pb2.GetRunRequest, call: Call) -> analytics_pb2.Run:
        run = runs.get(self._facts, request.run_id)
        if not seen.sees(call.access, run.manifest):
            raise HilumError(ErrorCode.NOT_FOUND, "no such run; `hilum analyze list` shows those there are")
        return self._message(run, with_metrics=True)

    def list_runs(self, request: analytics_pb2.ListRunsRequest, call: Call) -> analytics_pb2.ListRunsResponse:
        size = paging.size(request.page_size, 50)
        found = runs.recent(self._facts, paging.position(request.page_token), size)
        token = paging.token(f"{found[-1].created_at}/{found[-1].run_id}") if len(found) == size else ""
        return analytics_pb2.ListRunsResponse(
            runs=[self._message(run) for run in found if seen.sees(call.access, run.manifest)], next_page_token=token
        )

    def get_run_file(self, request: analytics_pb2.GetRunFileRequest, call: Call) -> common_pb2.Blob:
        seen.folder(self._runs, request.run_id, call.access)
        path = manifest.file(self._runs, request.run_id, request.name)
        if path.stat().st_size > MAX_MESSAGE_BYTES - 2**16:
            raise HilumError(
                ErrorCode.PAYLOAD_TOO_LARGE,
                "this file is too large for one message; get it over HTTP, at /v1/runs/{run_id}/files/{name}",
            )
        return common_pb2.Blob(content_type=manifest.TYPES[path.suffix], data=path.read_bytes())

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
        message.kind = str(run.manifest.get("kind", MAP))
        message.manifest.update(run.manifest)
        if with_metrics:
            message.metrics.update(run.metrics)
        if state is JobState.SUCCEEDED:
            message.report = report_path(run.run_id)
            if (self._runs / run.run_id / "atlas").is_dir():
                message.atlas = atlas_path(run.run_id)
            if with_metrics:
                message.files.extend(manifest.files(self._runs, run.run_id))
        return message
