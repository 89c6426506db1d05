"""The client: one object, every service.

from hilum import Client
print(Client().search(text="large left pleural effusion", where='view = "PA"'))
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from hilum import locate
from hilum.errors import HilumError, from_rpc
from hilum.jobs import Job
from hilum.results import Film, SearchResult
from hilum.v1 import (
    analytics_pb2,
    analytics_pb2_grpc,
    common_pb2,
    encode_pb2,
    encode_pb2_grpc,
    ingest_pb2,
    ingest_pb2_grpc,
    jobs_pb2,
    jobs_pb2_grpc,
    query_pb2,
    query_pb2_grpc,
)

_MESSAGE_BYTES = 65 * 2**20


class Client:
    """A connection to Hilum over gRPC. Safe to share between threads; usable as a context manager.

    url: ``host:port``. Without it HILUM_URL, else the `hilum up` that has the data folder open, else 127.0.0.1:50051.
    timeout: seconds a call may take (jobs run on; watching one has no limit). Every call raises HilumError.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        data: str | os.PathLike[str] | None = None,
        timeout: float = 60.0,
        endpoint: locate.Endpoint | None = None,
    ) -> None:
        self.endpoint = endpoint or locate.find(url, data)
        self._timeout = timeout
        options = [
            ("grpc.max_receive_message_length", _MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MESSAGE_BYTES),
        ]
        self._channel = grpc.insecure_channel(self.endpoint.grpc, options=options)
        self._metadata = [("x-hilum-operator", self.endpoint.token)] if self.endpoint.token else []
        self._query = query_pb2_grpc.QueryServiceStub(self._channel)
        self._encode = encode_pb2_grpc.EncodeServiceStub(self._channel)
        self._ingest = ingest_pb2_grpc.IngestServiceStub(self._channel)
        self._jobs = jobs_pb2_grpc.JobsServiceStub(self._channel)
        self._analytics = analytics_pb2_grpc.AnalyticsServiceStub(self._channel)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    # -- films out --------------------------------------------------------------------------------------------------

    def search(
        self,
        *,
        text: str | None = None,
        image: str | os.PathLike[str] | bytes | None = None,
        id: str | None = None,
        vector: Sequence[float] | np.ndarray[Any, Any] | None = None,
        models: Sequence[str] = (),
        where: str = "",
        limit: int = 10,
        exclude: str = "patient",
        exact: bool = False,
    ) -> SearchResult:
        """Films like a stored film (`id`), a film in a file or in bytes (`image`), words (`text`) or a `vector`.

        where: a filter such as ``view = "PA" AND labels.edema = present``.  exclude: whose films do not count beside
        the query's own: ``patient``, ``study`` or ``none``.
        """
        if sum(given is not None for given in (text, image, id, vector)) != 1:
            raise HilumError("INVALID_ARGUMENT", "give exactly one of text, image, id or vector")
        query = query_pb2.Query()
        if text is not None:
            query.text = text
        elif image is not None:
            query.image = image if isinstance(image, bytes) else _read(image)
        elif id is not None:
            query.image_id = id
        else:
            query.vector.values.extend(np.asarray(vector, dtype=np.float32).tolist())
        request = query_pb2.SearchRequest(
            query=query, models=models, filter=where, limit=limit, exclude=exclude, exact=exact
        )
        return SearchResult.of(self._call(self._query.Search, request), self.thumbnail)

    def image(self, image_id: str) -> Film:
        """One stored film."""
        return Film.of(self._call(self._query.GetImage, query_pb2.GetImageRequest(image_id=image_id)))

    def thumbnail(self, image_id: str) -> bytes:
        """The picture of a stored film."""
        blob: common_pb2.Blob = self._call(self._query.GetThumbnail, query_pb2.GetImageRequest(image_id=image_id))
        return blob.data

    def images(self, where: str = "", page_size: int = 500) -> Iterator[Film]:
        """Every film that matches, page by page."""
        request = query_pb2.QueryImagesRequest(filter=where, page_size=page_size)
        while True:
            page = self._call(self._query.QueryImages, request)
            yield from map(Film.of, page.images)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def facets(self, where: str = "", fields: Sequence[str] = ()) -> dict[str, dict[str, int]]:
        """Exact counts by field and value of the films that match."""
        answer = self._call(self._query.FacetImages, query_pb2.FacetImagesRequest(filter=where, fields=fields))
        return {facet.field: {count.value: count.count for count in facet.counts} for facet in answer.facets}

    def models(self) -> list[encode_pb2.Model]:
        """The encoders at hand, and how many films each has."""
        return list(self._call(self._encode.ListModels, encode_pb2.ListModelsRequest()).models)

    # -- films in, and analyses -------------------------------------------------------------------------------------

    def ingest(
        self,
        source: str | os.PathLike[str],
        dataset: str,
        *,
        layout: str = "auto",
        labels: str | os.PathLike[str] | None = None,
        reports: str | os.PathLike[str] | None = None,
        models: Sequence[str] = (),
        keep_ids: bool = False,
        request_id: str = "",
    ) -> Job:
        """Start storing a folder of films; returns at once. `source` is a path on the server's machine."""
        request = ingest_pb2.CreateIngestJobRequest(
            source=str(Path(source).absolute()), dataset=dataset, layout=layout, models=models, keep_ids=keep_ids,
            labels=str(Path(labels).absolute()) if labels else "", request_id=request_id,
            reports=str(Path(reports).absolute()) if reports else "",
        )  # fmt: skip
        return Job.of(self._call(self._ingest.CreateIngestJob, request), self)

    def analyze(
        self,
        *,
        models: Sequence[str] = (),
        where: str = "",
        sample: int = 0,
        seed: int = 0,
        k: int = 15,
        resolutions: Sequence[float] = (1.0,),
        labels: Sequence[str] = (),
    ) -> Job:
        """Start an analysis: one kNN graph per model, clusters, map, metrics, atlas; the job's result names the run."""
        request = analytics_pb2.CreateRunRequest(
            models=models, filter=where, sample_size=sample, seed=seed, k=k, resolutions=resolutions, labels=labels
        )
        return Job.of(self._call(self._analytics.CreateRun, request), self)

    def run(self, run_id: str) -> analytics_pb2.Run:
        """One analysis with its manifest and metrics."""
        return self._call(self._analytics.GetRun, analytics_pb2.GetRunRequest(run_id=run_id))

    def runs(self) -> list[analytics_pb2.Run]:
        """The latest analyses, newest first."""
        return list(self._call(self._analytics.ListRuns, analytics_pb2.ListRunsRequest()).runs)

    # -- jobs -------------------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """One job as it stands."""
        return Job.of(self._call(self._jobs.GetJob, jobs_pb2.GetJobRequest(job_id=job_id)), self)

    def jobs(self, kind: str = "") -> list[Job]:
        """The latest jobs, newest first."""
        answer = self._call(self._jobs.ListJobs, jobs_pb2.ListJobsRequest(kind=kind))
        return [Job.of(job, self) for job in answer.jobs]

    def items(self, job_id: str, outcome: str = "") -> Iterator[jobs_pb2.JobItem]:
        """What became of each file of a job."""
        request = jobs_pb2.ListJobItemsRequest(job_id=job_id, outcome=outcome, page_size=1000)
        while True:
            page = self._call(self._jobs.ListJobItems, request)
            yield from page.items
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job whenever it changes, until it is finished."""
        try:
            for job in self._jobs.WatchJob(jobs_pb2.GetJobRequest(job_id=job_id), metadata=self._metadata):
                yield Job.of(job, self)
        except grpc.RpcError as error:
            raise from_rpc(error) from None

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop."""
        return Job.of(self._call(self._jobs.CancelJob, jobs_pb2.CancelJobRequest(job_id=job_id)), self)

    def _call(self, rpc: Any, request: Any) -> Any:
        try:
            return rpc(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc(error) from None


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise HilumError("INVALID_ARGUMENT", f"cannot read the film: {error.strerror}") from None
