"""The same client for asyncio.

async with AsyncClient() as client:
    print(await client.search(text="edema"))
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np

from hilum import explanation, locate, requests
from hilum.channel import OPTIONS, Stubs, metadata
from hilum.errors import from_rpc
from hilum.explanation import Explanation
from hilum.findings import Classification, direction_of
from hilum.results import Film, SearchResult
from hilum.v1 import analytics_pb2, encode_pb2, jobs_pb2, models_pb2, query_pb2


class AsyncClient:
    """As `hilum.Client`, with coroutines; jobs are the contract's own messages."""

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
        self._channel = grpc.aio.insecure_channel(self.endpoint.grpc, options=OPTIONS)
        self._metadata = metadata(self.endpoint)
        self._to = Stubs(self._channel)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def search(self, **query: Any) -> SearchResult:
        """Films like a film, or by words; the arguments are those of `hilum.requests.search`."""
        answer = await self._call(self._to.query.Search, requests.search(**query))
        return SearchResult.of(answer, None)

    async def explain(self, id: str, **asked: Any) -> Explanation:
        """Where in a stored film a model sees words or another film; the arguments are those of
        `hilum.explanation.request`."""
        return Explanation.of(await self._call(self._to.query.ExplainMatch, explanation.request(id, **asked)))

    async def image(self, image_id: str) -> Film:
        """One stored film."""
        return Film.of(await self._call(self._to.query.GetImage, query_pb2.GetImageRequest(image_id=image_id)))

    async def thumbnail(self, image_id: str) -> bytes:
        """The picture of a stored film."""
        return (await self._call(self._to.query.GetThumbnail, query_pb2.GetImageRequest(image_id=image_id))).data

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

    async def models(self) -> list[encode_pb2.Model]:
        """The encoders at hand."""
        return list((await self._call(self._to.encode.ListModels, encode_pb2.ListModelsRequest())).models)

    async def classify(self, images: Any, **options: Any) -> Classification:
        """Findings of films without training; the arguments are those of `hilum.requests.classify`. Research use."""
        asked = requests.classify(images, **options)
        return Classification.of([await self._call(self._to.encode.Classify, request) for request in asked])

    async def direction(self, finding: str | None = None, **options: Any) -> np.ndarray[Any, Any]:
        """A vector for `search(vector=…, models=[…])`; the arguments are those of `hilum.requests.direction`."""
        return direction_of(await self._call(self._to.encode.EncodePrompts, requests.direction(finding, **options)))

    async def ingest(self, source: requests.PathLike, dataset: str, **options: Any) -> jobs_pb2.Job:
        """Start storing a folder of films."""
        return await self._call(self._to.ingest.CreateIngestJob, requests.ingest(source, dataset, **options))

    async def embeddings(
        self, source: requests.PathLike, dataset: str, spec: requests.PathLike, **options: Any
    ) -> jobs_pb2.Job:
        """Start storing ready-made vectors."""
        request = requests.embeddings(source, dataset, spec, **options)
        return await self._call(self._to.models.CreateEmbeddingsJob, request)

    async def fill(self, model: str, dataset: str = "") -> jobs_pb2.Job:
        """Start encoding the stored films that lack `model`, from their cached pixels."""
        return await self._call(self._to.models.FillModel, models_pb2.FillModelRequest(model=model, dataset=dataset))

    async def promote(
        self, model: str, fingerprint: str = "", *, check_only: bool = False, partial: bool = False
    ) -> jobs_pb2.Job:
        """Start comparing two fingerprints of `model` and, unless `check_only`, letting the other one answer."""
        request = models_pb2.PromoteModelRequest(
            model=model, fingerprint=fingerprint, check_only=check_only, partial=partial
        )
        return await self._call(self._to.models.PromoteModel, request)

    async def rollback(self, model: str) -> models_pb2.Promotion:
        """Let the fingerprint answer for `model` that did before the last promotion."""
        return await self._call(self._to.models.RollbackModel, models_pb2.RollbackModelRequest(model=model))

    async def analyze(self, kind: str = "map", **options: Any) -> jobs_pb2.Job:
        """Start an analysis."""
        return await self._call(self._to.analytics.CreateRun, requests.analyze(kind, **options))

    async def run(self, run_id: str) -> analytics_pb2.Run:
        """One analysis with its manifest and metrics."""
        return await self._call(self._to.analytics.GetRun, analytics_pb2.GetRunRequest(run_id=run_id))

    async def run_file(self, run_id: str, name: str) -> bytes:
        """A file of a finished run."""
        request = analytics_pb2.GetRunFileRequest(run_id=run_id, name=name)
        return bytes((await self._call(self._to.analytics.GetRunFile, request)).data)

    async def watch(self, job_id: str) -> AsyncIterator[jobs_pb2.Job]:
        """The job whenever it changes, until it is finished."""
        try:
            async for job in self._to.jobs.WatchJob(jobs_pb2.GetJobRequest(job_id=job_id), metadata=self._metadata):
                yield job
        except grpc.RpcError as error:
            raise from_rpc(error) from None

    async def cancel(self, job_id: str) -> jobs_pb2.Job:
        """Ask a job to stop."""
        return await self._call(self._to.jobs.CancelJob, jobs_pb2.CancelJobRequest(job_id=job_id))

    async def _call(self, rpc: Any, request: Any) -> Any:
        try:
            return await rpc(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc(error) from None
