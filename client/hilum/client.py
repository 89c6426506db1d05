"""The client: one object, every service.

from hilum import Client
print(Client().search(text="large left pleural effusion", where='view = "PA"'))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hilum import keeping, requests
from hilum.cohorts import Cohorts
from hilum.exporting import Exporting
from hilum.findings import Classification, direction_of
from hilum.jobs import Job
from hilum.reports import Reporting
from hilum.results import Film
from hilum.saving import Saving
from hilum.sets import Sets
from hilum.studying import Studying
from hilum.teaching import Teaching
from hilum.v1 import analytics_pb2, encode_pb2, ingest_pb2, jobs_pb2, models_pb2, query_pb2


class Client(Saving, Reporting, Sets, Cohorts, Exporting, Studying, Teaching):
    """A connection to Hilum over gRPC. Safe to share between threads; usable as a context manager.

    url: ``host:port``. Without it HILUM_URL, else the `hilum up` that has the data folder open, else 127.0.0.1:50051.
    timeout: seconds a call may take in all; the service hears of it (jobs run on; watching one has no limit).
    patience: seconds of these for which calls that change nothing are asked again while the service is away or busy.
    Every call raises HilumError.
    """

    # -- films out --------------------------------------------------------------------------------------------------

    def image(self, image_id: str) -> Film:
        """One stored film."""
        return Film.of(self._call(self._to.query.GetImage, query_pb2.GetImageRequest(image_id=image_id)))

    def images(self, where: str = "", page_size: int = 500) -> Iterator[Film]:
        """Every film that matches, page by page."""
        request = query_pb2.QueryImagesRequest(filter=where, page_size=page_size)
        while True:
            page = self._call(self._to.query.QueryImages, request)
            yield from map(Film.of, page.images)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def facets(self, where: str = "", fields: Sequence[str] = ()) -> dict[str, dict[str, int]]:
        """Exact counts by field and value of the films that match."""
        answer = self._call(self._to.query.FacetImages, query_pb2.FacetImagesRequest(filter=where, fields=fields))
        return {facet.field: {count.value: count.count for count in facet.counts} for facet in answer.facets}

    def models(self) -> list[encode_pb2.Model]:
        """The encoders at hand, and how many films each has."""
        return list(self._call(self._to.encode.ListModels, encode_pb2.ListModelsRequest()).models)

    def classify(self, images: Any, **options: Any) -> Classification:
        """Findings of films without training; the arguments are those of `hilum.requests.classify`. Research use."""
        asked = requests.classify(images, **options)
        return Classification.of([self._call(self._to.encode.Classify, request) for request in asked])

    def direction(self, finding: str | None = None, **options: Any) -> np.ndarray[Any, Any]:
        """A vector for `search(vector=…, models=[…])`; the arguments are those of `hilum.requests.direction`."""
        answer = self._call(self._to.encode.EncodePrompts, requests.direction(finding, **options))
        return direction_of(answer)

    # -- films in, and analyses -------------------------------------------------------------------------------------

    def ingest(self, source: requests.PathLike, dataset: str, **options: Any) -> Job:
        """Start storing a folder of films; returns at once. The options are those of `hilum.requests.ingest`."""
        request = requests.ingest(source, dataset, **options)
        return Job.of(self._call(self._to.ingest.CreateIngestJob, request), self)

    def embeddings(self, source: requests.PathLike, dataset: str, spec: requests.PathLike, **options: Any) -> Job:
        """Start storing ready-made vectors; returns at once. The options are those of `hilum.requests.embeddings`."""
        request = requests.embeddings(source, dataset, spec, **options)
        return Job.of(self._call(self._to.models.CreateEmbeddingsJob, request), self)

    def fill(self, model: str, dataset: str = "") -> Job:
        """Start encoding the stored films that lack `model`, from their cached pixels."""
        request = models_pb2.FillModelRequest(model=model, dataset=dataset)
        return Job.of(self._call(self._to.models.FillModel, request), self)

    def promote(self, model: str, fingerprint: str = "", *, check_only: bool = False, partial: bool = False) -> Job:
        """Compare the fingerprint that answers for `model` with another, then let that answer; `check_only` changes
        nothing. The job's result holds the comparison."""
        request = models_pb2.PromoteModelRequest(
            model=model, fingerprint=fingerprint, check_only=check_only, partial=partial
        )
        return Job.of(self._call(self._to.models.PromoteModel, request), self)

    def rollback(self, model: str) -> models_pb2.Promotion:
        """Let the fingerprint answer for `model` that did before the last promotion."""
        return self._call(self._to.models.RollbackModel, models_pb2.RollbackModelRequest(model=model))

    def promotions(self, model: str) -> list[models_pb2.Promotion]:
        """Which fingerprints have answered for `model`, latest first."""
        request = models_pb2.ListPromotionsRequest(model=model)
        return list(self._call(self._to.models.ListPromotions, request).promotions)

    def analyze(self, kind: str = "map", **options: Any) -> Job:
        """Start an analysis, whose result names the run. The options are those of `hilum.requests.analyze`."""
        return Job.of(self._call(self._to.analytics.CreateRun, requests.analyze(kind, **options)), self)

    def run(self, run_id: str) -> analytics_pb2.Run:
        """One analysis with its manifest and metrics."""
        return self._call(self._to.analytics.GetRun, analytics_pb2.GetRunRequest(run_id=run_id))

    def run_file(self, run_id: str, name: str) -> bytes:
        """A file of a finished run: its report.html, or what else `run(run_id).files` names."""
        request = analytics_pb2.GetRunFileRequest(run_id=run_id, name=name)
        return bytes(self._call(self._to.analytics.GetRunFile, request).data)

    def runs(self) -> list[analytics_pb2.Run]:
        """The latest analyses, newest first."""
        return list(self._call(self._to.analytics.ListRuns, analytics_pb2.ListRunsRequest()).runs)

    # -- keeping the archive in order -------------------------------------------------------------------------------

    def duplicates(self, *, seen: keeping.Seen | None = None, **options: Any) -> keeping.Duplicates:
        """Films stored more than once; the options are those of `hilum.requests.duplicates`. `seen` hears progress."""
        return keeping.Duplicates.of(self._stream(self._to.ingest.FindDuplicates, requests.duplicates(**options)), seen)

    def forget(self, dataset: str, *patients: str, seen: keeping.Seen | None = None) -> keeping.Forgotten:
        """Remove every trace of patients (their ids here, or their original ones) for good; for the operator alone.

        Look at `complete` of what it returns. Interrupted, the same call again goes on.
        """
        request = ingest_pb2.ForgetPatientRequest(dataset=dataset, patients=patients)
        return keeping.Forgotten.of(self._stream(self._to.ingest.ForgetPatient, request), seen)

    def reconcile(
        self,
        source: requests.PathLike,
        dataset: str,
        *,
        apply: bool = False,
        seen: keeping.Seen | None = None,
        **options: Any,
    ) -> keeping.Reconciled:
        """Hold a folder against the dataset that came from it; the options are those of `ingest`.

        apply: remove films whose files are gone, and ingest again what lacks; for the operator alone.
        """
        plan = requests.ingest(source, dataset, **options)
        request = ingest_pb2.ReconcileRequest(plan=plan, apply=apply)
        return keeping.Reconciled.of(self._stream(self._to.ingest.Reconcile, request), seen)

    # -- jobs -------------------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """One job as it stands."""
        return Job.of(self._call(self._to.jobs.GetJob, jobs_pb2.GetJobRequest(job_id=job_id)), self)

    def jobs(self, kind: str = "") -> list[Job]:
        """The latest jobs, newest first."""
        answer = self._call(self._to.jobs.ListJobs, jobs_pb2.ListJobsRequest(kind=kind))
        return [Job.of(job, self) for job in answer.jobs]

    def items(self, job_id: str, outcome: str = "") -> Iterator[jobs_pb2.JobItem]:
        """What became of each file of a job."""
        request = jobs_pb2.ListJobItemsRequest(job_id=job_id, outcome=outcome, page_size=1000)
        while True:
            page = self._call(self._to.jobs.ListJobItems, request)
            yield from page.items
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job whenever it changes, until it is finished."""
        for job in self._stream(self._to.jobs.WatchJob, jobs_pb2.GetJobRequest(job_id=job_id), resume=True):
            yield Job.of(job, self)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop."""
        return Job.of(self._call(self._to.jobs.CancelJob, jobs_pb2.CancelJobRequest(job_id=job_id)), self)
