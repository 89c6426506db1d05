"""The same client for asyncio.

async with AsyncClient() as client:
    print(await client.search(text="edema"))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np

from hilum import keeping, requests
from hilum.channel import Rpc
from hilum.cohorts import AsyncCohorts
from hilum.exporting import AsyncExporting
from hilum.findings import Classification, direction_of
from hilum.jobs import AsyncJob
from hilum.reports import AsyncReporting
from hilum.results import Film
from hilum.saving import AsyncSaving
from hilum.sets import AsyncSets
from hilum.studying import AsyncStudying
from hilum.teaching import AsyncTeaching
from hilum.v1 import analytics_pb2, encode_pb2, ingest_pb2, jobs_pb2, models_pb2, query_pb2


class AsyncClient(AsyncSaving, AsyncReporting, AsyncSets, AsyncCohorts, AsyncExporting, AsyncStudying, AsyncTeaching):
    """Everything that `hilum.Client` does, with coroutines and asynchronous iterators. For one event loop."""

    # -- films out --------------------------------------------------------------------------------------------------

    async def image(self, image_id: str) -> Film:
        """One stored film."""
        return Film.of(await self._call(self._to.query.GetImage, query_pb2.GetImageRequest(image_id=image_id)))

    async def images(self, where: str = "", page_size: int = 500) -> AsyncIterator[Film]:
        """Every film that matches, page by page."""
        request = query_pb2.QueryImagesRequest(filter=where, page_size=page_size)
        while True:
            page = await self._call(self._to.query.QueryImages, request)
            for image in page.images:
                yield Film.of(image)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def facets(self, where: str = "", fields: Sequence[str] = ()) -> dict[str, dict[str, int]]:
        """Exact counts by field and value of the films that match."""
        answer = await self._call(self._to.query.FacetImages, query_pb2.FacetImagesRequest(filter=where, fields=fields))
        return {facet.field: {count.value: count.count for count in facet.counts} for facet in answer.facets}

    async def models(self) -> list[encode_pb2.Model]:
        """The encoders at hand, and how many films each has."""
        return list((await self._call(self._to.encode.ListModels, encode_pb2.ListModelsRequest())).models)

    async def classify(self, images: Any, **options: Any) -> Classification:
        """Findings of films without training; the arguments are those of `hilum.requests.classify`. Research use."""
        asked = requests.classify(images, **options)
        return Classification.of([await self._call(self._to.encode.Classify, request) for request in asked])

    async def direction(self, finding: str | None = None, **options: Any) -> np.ndarray[Any, Any]:
        """A vector for `search(vector=…, models=[…])`; the arguments are those of `hilum.requests.direction`."""
        return direction_of(await self._call(self._to.encode.EncodePrompts, requests.direction(finding, **options)))

    # -- films in, and analyses -------------------------------------------------------------------------------------

    async def ingest(self, source: requests.PathLike, dataset: str, **options: Any) -> AsyncJob:
        """Start storing a folder of films; returns at once. The options are those of `hilum.requests.ingest`."""
        return await self._begin(self._to.ingest.CreateIngestJob, requests.ingest(source, dataset, **options))

    async def embeddings(
        self, source: requests.PathLike, dataset: str, spec: requests.PathLike, **options: Any
    ) -> AsyncJob:
        """Start storing ready-made vectors; returns at once. The options are those of `hilum.requests.embeddings`."""
        request = requests.embeddings(source, dataset, spec, **options)
        return await self._begin(self._to.models.CreateEmbeddingsJob, request)

    async def fill(self, model: str, dataset: str = "") -> AsyncJob:
        """Start encoding the stored films that lack `model`, from their cached pixels."""
        return await self._begin(self._to.models.FillModel, models_pb2.FillModelRequest(model=model, dataset=dataset))

    async def promote(
        self, model: str, fingerprint: str = "", *, check_only: bool = False, partial: bool = False
    ) -> AsyncJob:
        """Compare the fingerprint that answers for `model` with another, then let that answer; `check_only` changes
        nothing. The job's result holds the comparison."""
        request = models_pb2.PromoteModelRequest(
            model=model, fingerprint=fingerprint, check_only=check_only, partial=partial
        )
        return await self._begin(self._to.models.PromoteModel, request)

    async def rollback(self, model: str) -> models_pb2.Promotion:
        """Let the fingerprint answer for `model` that did before the last promotion."""
        return await self._call(self._to.models.RollbackModel, models_pb2.RollbackModelRequest(model=model))

    async def promotions(self, model: str) -> list[models_pb2.Promotion]:
        """Which fingerprints have answered for `model`, latest first."""
        request = models_pb2.ListPromotionsRequest(model=model)
        return list((await self._call(self._to.models.ListPromotions, request)).promotions)

    async def analyze(self, kind: str = "map", **options: Any) -> AsyncJob:
        """Start an analysis, whose result names the run. The options are those of `hilum.requests.analyze`."""
        return await self._begin(self._to.analytics.CreateRun, requests.analyze(kind, **options))

    async def run(self, run_id: str) -> analytics_pb2.Run:
        """One analysis with its manifest and metrics."""
        return await self._call(self._to.analytics.GetRun, analytics_pb2.GetRunRequest(run_id=run_id))

    async def run_file(self, run_id: str, name: str) -> bytes:
        """A file of a finished run: its report.html, or what else `run(run_id).files` names."""
        request = analytics_pb2.GetRunFileRequest(run_id=run_id, name=name)
        return bytes((await self._call(self._to.analytics.GetRunFile, request)).data)

    async def runs(self) -> list[analytics_pb2.Run]:
        """The latest analyses, newest first."""
        return list((await self._call(self._to.analytics.ListRuns, analytics_pb2.ListRunsRequest())).runs)

    # -- keeping the archive in order -------------------------------------------------------------------------------

    async def duplicates(self, *, seen: keeping.Seen | None = None, **options: Any) -> keeping.Duplicates:
        """Films stored more than once; the options are those of `hilum.requests.duplicates`. `seen` hears progress."""
        told = await self._told(self._to.ingest.FindDuplicates, requests.duplicates(**options), seen)
        return keeping.Duplicates.of(told)

    async def forget(self, dataset: str, *patients: str, seen: keeping.Seen | None = None) -> keeping.Forgotten:
        """As `Client.forget`: look at `complete` of what it returns."""
        request = ingest_pb2.ForgetPatientRequest(dataset=dataset, patients=patients)
        return keeping.Forgotten.of(await self._told(self._to.ingest.ForgetPatient, request, seen))

    async def reconcile(
        self,
        source: requests.PathLike,
        dataset: str,
        *,
        apply: bool = False,
        seen: keeping.Seen | None = None,
        **options: Any,
    ) -> keeping.Reconciled:
        """As `Client.reconcile`; the options are those of `ingest`."""
        plan = requests.ingest(source, dataset, **options)
        request = ingest_pb2.ReconcileRequest(plan=plan, apply=apply)
        return keeping.Reconciled.of(await self._told(self._to.ingest.Reconcile, request, seen))

    # -- jobs -------------------------------------------------------------------------------------------------------

    async def job(self, job_id: str) -> AsyncJob:
        """One job as it stands."""
        return await self._begin(self._to.jobs.GetJob, jobs_pb2.GetJobRequest(job_id=job_id))

    async def jobs(self, kind: str = "") -> list[AsyncJob]:
        """The latest jobs, newest first."""
        answer = await self._call(self._to.jobs.ListJobs, jobs_pb2.ListJobsRequest(kind=kind))
        return [AsyncJob.of(job, self) for job in answer.jobs]

    async def items(self, job_id: str, outcome: str = "") -> AsyncIterator[jobs_pb2.JobItem]:
        """What became of each file of a job."""
        request = jobs_pb2.ListJobItemsRequest(job_id=job_id, outcome=outcome, page_size=1000)
        while True:
            page = await self._call(self._to.jobs.ListJobItems, request)
            for item in page.items:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def watch(self, job_id: str) -> AsyncIterator[AsyncJob]:
        """The job whenever it changes, until it is finished."""
        request = jobs_pb2.GetJobRequest(job_id=job_id)
        async for job in self._stream(self._to.jobs.WatchJob, request, resume=True):
            yield AsyncJob.of(job, self)

    async def cancel(self, job_id: str) -> AsyncJob:
        """Ask a job to stop."""
        return await self._begin(self._to.jobs.CancelJob, jobs_pb2.CancelJobRequest(job_id=job_id))

    async def _begin(self, rpc: Rpc, request: Any) -> AsyncJob:
        return AsyncJob.of(await self._call(rpc, request), self)

    async def _told(self, rpc: Rpc, request: Any, seen: keeping.Seen | None) -> list[Any]:
        """A stream's messages; `seen` hears of progress as it comes."""
        told = []
        async for item in self._stream(rpc, request):
            if item.WhichOneof("told") != "progress":
                told.append(item)
            elif seen is not None:
                seen(item.progress)
        return told
