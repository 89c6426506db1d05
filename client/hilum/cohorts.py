"""Cohorts: films chosen by a specification, for both clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from google.protobuf import json_format

from hilum.connection import AsyncConnection, Connection
from hilum.errors import HilumError
from hilum.jobs import AsyncJob, Job
from hilum.v1 import cohort_pb2

Spec = Mapping[str, Any] | cohort_pb2.CohortSpec
_PAGE = 1000


class Cohorts(Connection):
    """Choose films by a specification, and answer for the choice."""

    def create_cohort(self, spec: Spec, *, request_id: str = "") -> Job:
        """Build a cohort; the job's result names its run. spec: a mapping or a message; `hilum cohort build`
        reads files.

        client.create_cohort({"name": "adults", "criteria": [{"filter": "age >= 18"}]}).wait()
        """
        request = cohort_pb2.CreateCohortRequest(spec=message(spec), request_id=request_id)
        return Job.of(self._call(self._to.cohorts.CreateCohort, request), self)

    def preview_cohort(self, spec: Spec) -> cohort_pb2.CohortPreview:
        """The counts of each criterion and cap, at once; nothing is kept."""
        return self._call(self._to.cohorts.PreviewCohort, cohort_pb2.PreviewCohortRequest(spec=message(spec)))

    def cohort(self, name: str) -> cohort_pb2.Cohort:
        """One cohort with its specification, flow and manifest."""
        return self._call(self._to.cohorts.GetCohort, cohort_pb2.GetCohortRequest(name=name))

    def cohorts(self) -> Iterator[cohort_pb2.Cohort]:
        """Every cohort, by name."""
        request = cohort_pb2.ListCohortsRequest(page_size=_PAGE)
        while True:
            page = self._call(self._to.cohorts.ListCohorts, request)
            yield from page.cohorts
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def rerun_cohort(self, name: str, as_name: str = "", *, request_id: str = "") -> Job:
        """Run a cohort's specification over the archive as it is now; what is frozen stays. as_name: keep what comes
        out as another cohort."""
        return Job.of(self._call(self._to.cohorts.RerunCohort, _again(name, as_name, request_id)), self)

    def diff_cohort(self, name: str, against: str = "", *, most: int = 0) -> cohort_pb2.CohortDiff:
        """Who entered, who left, and why. against: another cohort or a run; by default the latest rerun."""
        return self._call(self._to.cohorts.DiffCohort, _diff(name, against, most))

    def delete_cohort(self, name: str) -> str:
        """Forget the name; the films, and the run with its report, stay."""
        return str(self._call(self._to.cohorts.DeleteCohort, cohort_pb2.GetCohortRequest(name=name)).name)


class AsyncCohorts(AsyncConnection):
    """The same as coroutines."""

    async def create_cohort(self, spec: Spec, *, request_id: str = "") -> AsyncJob:
        """As `Client.create_cohort`."""
        request = cohort_pb2.CreateCohortRequest(spec=message(spec), request_id=request_id)
        return AsyncJob.of(await self._call(self._to.cohorts.CreateCohort, request), self)

    async def preview_cohort(self, spec: Spec) -> cohort_pb2.CohortPreview:
        """As `Client.preview_cohort`."""
        return await self._call(self._to.cohorts.PreviewCohort, cohort_pb2.PreviewCohortRequest(spec=message(spec)))

    async def cohort(self, name: str) -> cohort_pb2.Cohort:
        """As `Client.cohort`."""
        return await self._call(self._to.cohorts.GetCohort, cohort_pb2.GetCohortRequest(name=name))

    async def cohorts(self) -> AsyncIterator[cohort_pb2.Cohort]:
        """As `Client.cohorts`."""
        request = cohort_pb2.ListCohortsRequest(page_size=_PAGE)
        while True:
            page = await self._call(self._to.cohorts.ListCohorts, request)
            for one in page.cohorts:
                yield one
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def rerun_cohort(self, name: str, as_name: str = "", *, request_id: str = "") -> AsyncJob:
        """As `Client.rerun_cohort`."""
        return AsyncJob.of(await self._call(self._to.cohorts.RerunCohort, _again(name, as_name, request_id)), self)

    async def diff_cohort(self, name: str, against: str = "", *, most: int = 0) -> cohort_pb2.CohortDiff:
        """As `Client.diff_cohort`."""
        return await self._call(self._to.cohorts.DiffCohort, _diff(name, against, most))

    async def delete_cohort(self, name: str) -> str:
        """As `Client.delete_cohort`."""
        return str((await self._call(self._to.cohorts.DeleteCohort, cohort_pb2.GetCohortRequest(name=name))).name)


def message(spec: Spec) -> cohort_pb2.CohortSpec:
    """A specification as the contract has it. Raises HilumError for a field that there is not."""
    if isinstance(spec, cohort_pb2.CohortSpec):
        return spec
    try:
        return json_format.ParseDict(spec, cohort_pb2.CohortSpec())
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise HilumError("INVALID_ARGUMENT", f"this is no specification: {error}") from None


def _again(name: str, as_name: str, request_id: str) -> cohort_pb2.RerunCohortRequest:
    return cohort_pb2.RerunCohortRequest(name=name, as_name=as_name, request_id=request_id)


def _diff(name: str, against: str, most: int) -> cohort_pb2.DiffCohortRequest:
    return cohort_pb2.DiffCohortRequest(name=name, against=against, most=most)
