"""The composition root of the all-in-one process: engine, facts, the three services, one gRPC and one HTTP port."""

from __future__ import annotations

from dataclasses import replace

from services.analytics import atlas_router
from services.analytics.api import AnalyticsApi
from services.analytics.cohort.api import CohortsApi
from services.analytics.cohort.export import router as cohort_router
from services.analytics.cohort.export.api import CohortExportsApi
from services.analytics.jobs import AnalyticsWorker
from services.app.process import Process, answers
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import jobs
from services.core.ids import load_secret
from services.encoders.registry import Registry
from services.ingest.api import IngestApi
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.ingest.jobs import IngestWorker
from services.ingest.models_api import ModelsApi
from services.ingest.sides_api import SidesApi
from services.ingest.warm_up import warm_up
from services.query.api import QueryApi
from services.query.exports_api import ExportsApi
from services.query.readerstudy.api import ReaderStudyApi, ReadingApi
from services.query.reports.api import ReportsApi
from services.query.searches_api import SearchesApi
from services.query.sets_api import SetsApi
from services.query.teaching_api import TeachingApi
from services.query.upkeep import Upkeep
from services.query.web.pages import web_router
from services.transport.encode_client import EncodeClient
from services.transport.jobs import JobsApi


class Stack(Process):
    """Everything that runs in one process on one data folder.

    http: also serve HTTP and the UI. Commands that only need answers leave it out.
    """

    def __init__(self, settings: Settings, http: bool = True) -> None:
        super().__init__(settings)
        self._http = http

    def compose(self) -> None:
        self.lock()
        facts = self.facts()
        if not facts.shared:  # the lock says that nobody else is at work on this data; elsewhere heartbeats do
            jobs.orphans(facts)
        settings = self.settings.with_engine(self._engine())
        store = self.store(settings.engine_url)
        blobs = Blobs(settings.data_dir / "blobs")
        registry = Registry.open(settings)
        pool = DecodePool(settings.decode_workers)
        self.opened.callback(pool.close)
        ingest = IngestWorker(settings, facts, store, blobs, registry, pool, load_secret(settings.data_dir))
        encode = EncodeApi(facts, registry, pool)
        self.opened.callback(encode.close)
        query = QueryApi(facts, store, EncodeClient.local(encode), blobs, settings.recall_sample)
        self.opened.callback(query.close)
        upkeep = Upkeep(facts, store)
        taking = IngestApi(settings, facts, registry, store, blobs)
        giving = ModelsApi(settings, facts, store, registry)
        apis = [
            query,
            SearchesApi(facts, query.pages),
            ReaderStudyApi(facts, store, query.pages),
            ReadingApi(facts, query.images),
            ReportsApi(facts, store, EncodeClient.local(encode), query.searching.ordinary),
            encode,
            taking,
            giving,
            ExportsApi(facts, blobs, load_secret(settings.data_dir)),
            SetsApi(facts, upkeep, settings.data_dir / "runs"),
            TeachingApi(facts, query, EncodeClient.local(encode), blobs),
            SidesApi(settings, facts),
            JobsApi(facts),
            AnalyticsApi(settings, facts),
            CohortsApi(settings, facts, store, EncodeClient.local(encode), upkeep.soon),
            CohortExportsApi(settings, facts),
        ]

        self.serve_grpc(apis)
        analytics = AnalyticsWorker(replace(settings, encode=self.grpc), facts)
        if self._http:
            warm = warm_up(registry, encode, pool.workers)
            self.serve_http(
                apis,
                [
                    web_router(facts, query, self.access),
                    atlas_router.build(settings.data_dir, self.access),
                    cohort_router.build(settings, facts, self.access),
                ],
                lambda: {"engine": store.alive(), "facts": answers(facts), "encoders": warm.is_set()},
            )
        for worker in (ingest, analytics, upkeep):
            worker.start()
            self.opened.callback(worker.stop)
        self.leave_note()

    def _engine(self) -> str:
        """Where the vectors are: a server's address, or that of an engine process of our own."""
        if self.settings.engine_url != "embedded:":
            return self.settings.engine_url
        from services.engine.fleet import EngineFleet
        from services.engine.supervisor import EngineFailedError

        try:
            return self.opened.enter_context(EngineFleet(self.settings.data_dir / "engine")).url
        except EngineFailedError as error:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"the embedded engine did not start: {error}") from error
