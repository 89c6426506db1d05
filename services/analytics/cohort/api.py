"""hilum.v1.CohortsService: a thin edge on runs of kind cohort, and on the sets that they make."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from google.protobuf import json_format

from hilum.v1 import cohort_pb2, jobs_pb2
from services.analytics import manifest, seen
from services.analytics.cohort import diff, records, verdicts
from services.analytics.cohort.archive import Archive
from services.analytics.cohort.asked import CohortAsked, frozen, taken, there_is
from services.analytics.cohort.flow import Judge, Step
from services.analytics.cohort.population import Counts
from services.analytics.cohort.records import Record
from services.analytics.cohort.similar import Similar
from services.analytics.cohort.spec import Spec
from services.analytics.jobs import KIND, described, report_path
from services.analytics.progress import Progress
from services.core import filters
from services.core.access import Access
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, jobs, runs, sets
from services.core.store import VectorStore
from services.core.types import JobState
from services.transport import paging
from services.transport.edge import Call, Route
from services.transport.encode_client import EncodeClient
from services.transport.jobs import job_message

_PAGE, _CHANGES, _MOST_CHANGES = 100, 200, 10_000
_BUSY_SECONDS = 0.2


class CohortsApi:
    """Build, look at, run again, compare, delete; counts before anything is built."""

    service = cohort_pb2.DESCRIPTOR.services_by_name["CohortsService"]
    routes = (
        Route("POST", "/v1/cohorts", "CreateCohort"),
        Route("GET", "/v1/cohorts", "ListCohorts"),
        Route("POST", "/v1/cohorts:preview", "PreviewCohort"),
        Route("GET", "/v1/cohorts/{name}", "GetCohort"),
        Route("DELETE", "/v1/cohorts/{name}", "DeleteCohort"),
        Route("POST", "/v1/cohorts/{name}:rerun", "RerunCohort"),
        Route("GET", "/v1/cohorts/{name}:diff", "DiffCohort"),
    )

    def __init__(
        self, settings: Settings, facts: Facts, store: VectorStore, encode: EncodeClient | None,
        settle: Callable[[], None],
    ) -> None:  # fmt: skip
        """encode: None where nobody encodes words.  settle: has points told of sets that come and go."""
        self._facts, self._store, self._encode, self._settle = facts, store, encode, settle
        self._runs = manifest.runs_dir(settings.data_dir)
        self._archive = Archive(facts)

    def create_cohort(self, request: cohort_pb2.CreateCohortRequest, call: Call) -> jobs_pb2.Job:
        return self._submit(self._spec(request.spec, call), request.request_id, call)

    def preview_cohort(self, request: cohort_pb2.PreviewCohortRequest, call: Call) -> cohort_pb2.CohortPreview:
        begun = time.monotonic()
        counted = replace(self._spec(request.spec, call), name="", match=None, sample=None, split=None, table1=None)
        asked = CohortAsked(spec=counted, seed=counted.seed, filter=seen.narrowed(call.access, ""))
        asked.check(self._facts)
        progress = Progress(lambda *_: _go_on(call))
        while not self._archive.lock.acquire(timeout=_BUSY_SECONDS):
            _go_on(call)
        try:
            held = self._archive.held(asked.filter, asked.columns, progress)
            conditions = held.conditions.again()
            where = filters.parse(asked.filter)
            similar = Similar(self._facts, self._store, where, self._encoder, conditions, progress)
            judge = Judge(held.population, conditions, similar, self._runs, progress, held.calendar)
            flow = judge.flow(asked.spec)
        finally:
            self._archive.lock.release()
        return cohort_pb2.CohortPreview(
            steps=map(_step, flow.steps), data_version="/".join(map(str, held.state)), seconds=time.monotonic() - begun
        )

    def get_cohort(self, request: cohort_pb2.GetCohortRequest, call: Call) -> cohort_pb2.Cohort:
        record = records.find(self._facts, self._runs, request.name, call.access)
        found = self._message(record, now=True)
        found.steps.extend(_told(step) for step in record.told.get("steps", []))
        found.manifest.update(record.manifest)
        if record.manifest:
            found.files.extend(manifest.files(self._runs, record.run_id))
        return found

    def list_cohorts(self, request: cohort_pb2.ListCohortsRequest, call: Call) -> cohort_pb2.ListCohortsResponse:
        size = paging.size(request.page_size, _PAGE)
        after = paging.position(request.page_token)
        found = records.listed(self._facts, self._runs, after, size + 1, call.access)
        token = paging.token(found[size - 1].set.set_id) if len(found) > size else ""
        return cohort_pb2.ListCohortsResponse(cohorts=map(self._message, found[:size]), next_page_token=token)

    def rerun_cohort(self, request: cohort_pb2.RerunCohortRequest, call: Call) -> jobs_pb2.Job:
        record = records.find(self._facts, self._runs, request.name, call.access)
        spec = replace(record.spec(), name=request.as_name, rerun_of=request.name)
        return self._submit(spec, request.request_id, call)

    def diff_cohort(self, request: cohort_pb2.DiffCohortRequest, call: Call) -> cohort_pb2.CohortDiff:
        if not 0 <= request.most <= _MOST_CHANGES:
            raise invalid(f"most is between 0 ({_CHANGES}) and {_MOST_CHANGES}")
        before = self._frozen_side(request.name, call.access)
        after = self._other_side(request.against or records.rerun(self._facts, request.name, call.access), call.access)
        found = diff.diff(before, after, request.most or _CHANGES)
        return cohort_pb2.CohortDiff(
            name=before.name, against=after.name, same=not found.reasons, both=found.both, notes=found.notes,
            before=_count(before.told["counts"]), after=_count(after.told["counts"]),
            reasons=[
                cohort_pb2.CohortReason(how=how, why=why, step=step, films=films)
                for (how, why, step), films in sorted(found.reasons.items())
            ],
            changes=[
                cohort_pb2.CohortChange(
                    image_id=str(uuid.UUID(bytes=one.image_id)), how=one.how, why=one.why, step=one.step,
                    before=one.before, after=one.after,
                )
                for one in found.changes
            ],
        )  # fmt: skip

    def delete_cohort(self, request: cohort_pb2.GetCohortRequest, call: Call) -> cohort_pb2.DeleteCohortResponse:
        record = records.find(self._facts, self._runs, request.name, call.access)
        for state in (sets.WRITING, sets.READY):
            sets.move(self._facts, [record.set.set_id], state, sets.DELETING)
        self._settle()
        return cohort_pb2.DeleteCohortResponse(name=request.name)

    def _spec(self, message: cohort_pb2.CohortSpec, call: Call) -> Spec:
        """As it is kept: checked, with the models and the questions that it means now."""
        spec = Spec.parse(json_format.MessageToDict(message, preserving_proto_field_name=True))
        for one in spec.criteria:
            if one.cluster:
                seen.folder(self._runs, one.cluster.run_id, call.access)
        return frozen(spec, self._facts)

    def _submit(self, spec: Spec, request_id: str, call: Call) -> jobs_pb2.Job:
        asked = CohortAsked(spec=spec, seed=spec.seed, filter=seen.narrowed(call.access, ""))
        if spec.name and not request_id and taken(self._facts, spec.name) is not None:
            raise there_is()
        asked.check(self._facts)
        told = asked.as_json()
        job = jobs.submit(self._facts, KIND, told, request_id or None)
        if job.state is JobState.QUEUED:
            runs.save(self._facts, job.job_id, job.job_id, job.state.value, described(told), {})
        return job_message(job)

    def _encoder(self) -> EncodeClient:
        if self._encode is None:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                "this needs words encoded: start analytics with --encode HOST:PORT of ingest's gRPC",
            )
        return self._encode

    def _frozen_side(self, name: str, access: Access) -> diff.Side:
        record = records.find(self._facts, self._runs, name, access)
        if record.manifest:
            return self._run_side(name, record.run_id, access)
        members = sets.members_of(self._facts, name)
        return diff.Side(name, verdicts.of_members(members), record.told, {}, {}, whole=False)

    def _other_side(self, name: str, access: Access) -> diff.Side:
        """A run's, or a cohort's."""
        try:
            uuid.UUID(name)
        except ValueError:
            return self._frozen_side(name, access)
        return self._run_side(name, name, access)

    def _run_side(self, name: str, run_id: str, access: Access) -> diff.Side:
        home: Path = seen.folder(self._runs, run_id, access)
        told = manifest.read_json(home / "manifest.json")
        if told.get("kind") != CohortAsked.kind:
            raise invalid("this run is no cohort's; name a cohort, or the run of a rerun")
        models = {model: used["fingerprint"] for model, used in dict(told["models"]).items()}  # type: ignore[call-overload]
        return diff.Side(name, verdicts.read(home), told["cohort"], models, told["versions"])  # type: ignore[arg-type]

    def _message(self, record: Record, now: bool = False) -> cohort_pb2.Cohort:
        told = record.told
        found = cohort_pb2.Cohort(
            name=record.set.set_id, title=record.set.title, created_at=record.set.created_at, run_id=record.run_id,
            films=cohort_pb2.CohortCount(images=record.set.films), frozen=_count(told["counts"]),
            ids_sha256=str(told["ids_sha256"]),
        )  # fmt: skip
        if now:
            whole = record.set.films == found.frozen.images
            found.films.CopyFrom(found.frozen if whole else _count(sets.counted(self._facts, record.set.set_id)))
        if told.get("spec"):
            json_format.ParseDict(told["spec"], found.spec)
        if record.there:
            found.report = report_path(record.run_id)
        return found


def _go_on(call: Call) -> None:
    if call.cancelled():
        raise HilumError(ErrorCode.CANCELLED, "nobody waits for this preview any more")


def _step(step: Step) -> cohort_pb2.CohortStep:
    return cohort_pb2.CohortStep(
        name=step.name, kind=step.kind, test=step.test, left=_counts(step.left), removed=_counts(step.removed),
        alone=_counts(step.alone) if step.alone else None,
    )  # fmt: skip


def _told(step: dict[str, object]) -> cohort_pb2.CohortStep:
    """A step as manifests have it."""
    found = cohort_pb2.CohortStep()
    json_format.ParseDict(step, found)
    return found


def _counts(count: Counts) -> cohort_pb2.CohortCount:
    return cohort_pb2.CohortCount(images=count.images, studies=count.studies, patients=count.patients)


def _count(told: dict[str, int]) -> cohort_pb2.CohortCount:
    return cohort_pb2.CohortCount(**told)
