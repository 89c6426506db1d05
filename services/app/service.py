"""One service in a process of its own, beside a Qdrant server and a data folder or database that all of them share.

Pages of the UI ask several services: behind one address, a proxy sends /v1/models and /v1/ingest to ingest,
/v1/analytics, /v1/runs and /v1/cohorts to analytics, and everything else to query. Jobs are told alike by each of them.
"""

from __future__ import annotations

from dataclasses import replace

from services.app.process import Process, answers
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.ids import load_secret
from services.transport.jobs import JobsApi

NAMES = ("ingest", "query", "analytics")


class Service(Process):
    """`name` is ingest, query or analytics. Query, and analyses that need words, ask the Encode RPC of ingest at
    `encode` (``host:port``)."""

    def __init__(self, settings: Settings, name: str, encode: str = "") -> None:
        super().__init__(settings)
        if name not in NAMES:
            raise invalid(f"there is no such service; there are: {', '.join(NAMES)}")
        if settings.engine_url == "embedded:":
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                "services apart share one engine: start a Qdrant server (or `python -m services.engine`) and set "
                "HILUM_ENGINE_URL to its gRPC address; `hilum up` needs none of this",
            )
        if name == "query" and not encode:
            raise invalid("query needs --encode HOST:PORT, where `hilum serve ingest` answers gRPC")
        self._name, self._encode = name, encode

    def compose(self) -> None:
        {"ingest": self._ingest, "query": self._query, "analytics": self._analytics}[self._name]()

    def _ingest(self) -> None:
        from services.encoders.registry import Registry
        from services.ingest.api import IngestApi
        from services.ingest.decode_pool import DecodePool
        from services.ingest.encode_api import EncodeApi
        from services.ingest.jobs import IngestWorker
        from services.ingest.models_api import ModelsApi
        from services.ingest.sides_api import SidesApi
        from services.ingest.warm_up import warm_up

        settings, facts, store = self.settings, self.facts(), self.store(self.settings.engine_url)
        blobs, registry = Blobs(settings.data_dir / "blobs"), Registry.open(settings)
        pool = DecodePool(settings.decode_workers)
        self.opened.callback(pool.close)
        worker = IngestWorker(settings, facts, store, blobs, registry, pool, load_secret(settings.data_dir))
        encode = EncodeApi(facts, registry, pool)
        self.opened.callback(encode.close)
        taking = IngestApi(settings, facts, registry, store, blobs)
        apis = [taking, ModelsApi(settings, facts, store, registry), SidesApi(settings, facts), encode, JobsApi(facts)]
        warm = warm_up(registry, encode, pool.workers)
        self.serve_grpc(apis)
        self.serve_http(apis, [], lambda: {"engine": store.alive(), "facts": answers(facts), "encoders": warm.is_set()})
        worker.start()
        self.opened.callback(worker.stop)

    def _query(self) -> None:
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

        facts, store = self.facts(), self.store(self.settings.engine_url)
        encode, blobs = EncodeClient.remote(self._encode), Blobs(self.settings.data_dir / "blobs")
        api = QueryApi(facts, store, encode, blobs, self.settings.recall_sample)
        self.opened.callback(api.close)
        reports = ReportsApi(facts, store, encode, api.searching.ordinary)
        upkeep = Upkeep(facts, store)
        sets = SetsApi(facts, upkeep, self.settings.data_dir / "runs")
        teaching = TeachingApi(facts, api, encode, blobs)
        exports = ExportsApi(facts, blobs, load_secret(self.settings.data_dir))
        studies = [ReaderStudyApi(facts, store, api.pages), ReadingApi(facts, api.images)]
        apis = [api, SearchesApi(facts, api.pages), *studies, reports, sets, teaching, exports, JobsApi(facts)]
        self.serve_grpc(apis)
        self.serve_http(
            apis,
            [web_router(facts, api, self.access)],
            lambda: {"engine": store.alive(), "facts": answers(facts)},
        )
        upkeep.start()
        self.opened.callback(upkeep.stop)

    def _analytics(self) -> None:
        from services.analytics import atlas_router
        from services.analytics.api import AnalyticsApi
        from services.analytics.cohort.api import CohortsApi
        from services.analytics.cohort.export import router as cohort_router
        from services.analytics.cohort.export.api import CohortExportsApi
        from services.analytics.jobs import AnalyticsWorker
        from services.query.upkeep import Upkeep
        from services.transport.encode_client import EncodeClient

        facts, store = self.facts(), self.store(self.settings.engine_url)
        settings = replace(self.settings, encode=self._encode or self.settings.encode)
        worker, upkeep = AnalyticsWorker(settings, facts), Upkeep(facts, store)
        encode = EncodeClient.remote(settings.encode) if settings.encode else None
        cohorts = CohortsApi(settings, facts, store, encode, upkeep.soon)
        apis = [AnalyticsApi(settings, facts), cohorts, CohortExportsApi(settings, facts), JobsApi(facts)]
        self.serve_grpc(apis)
        self.serve_http(
            apis,
            [
                atlas_router.build(self.settings.data_dir, self.access),
                cohort_router.build(self.settings, facts, self.access),
            ],
            lambda: {"facts": answers(facts)},
        )
        for each in (worker, upkeep):
            each.start()
            self.opened.callback(each.stop)
