"""What both clients dial with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hilum.locate import Endpoint
from hilum.v1 import (
    analytics_pb2_grpc,
    cohort_exports_pb2_grpc,
    cohort_pb2_grpc,
    encode_pb2_grpc,
    ingest_pb2_grpc,
    jobs_pb2_grpc,
    models_pb2_grpc,
    query_pb2_grpc,
    reader_study_pb2_grpc,
    reports_pb2_grpc,
    searches_pb2_grpc,
    sets_pb2_grpc,
    sides_pb2_grpc,
    teaching_exports_pb2_grpc,
    teaching_pb2_grpc,
)

_MESSAGE_BYTES = 65 * 2**20
OPTIONS = [
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 200),  # a service that was restarted is found again soon
    ("grpc.max_reconnect_backoff_ms", 2000),
]


def metadata(endpoint: Endpoint) -> list[tuple[str, str]]:
    """The operator token, where this machine's user has one."""
    return [("x-hilum-operator", endpoint.token)] if endpoint.token else []


@dataclass(frozen=True, slots=True)
class Rpc:
    """A way to call an rpc, and its name."""

    name: str
    call: Callable[..., Any]


class Service:
    """The rpcs of a stub, as attributes."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Rpc:
        return Rpc(name, getattr(self._stub, name))


class Stubs:
    """Every service of the contract on one channel, sync or async."""

    def __init__(self, channel: Any) -> None:
        self.query = Service(query_pb2_grpc.QueryServiceStub(channel))
        self.searches = Service(searches_pb2_grpc.SearchesServiceStub(channel))
        self.reports = Service(reports_pb2_grpc.ReportServiceStub(channel))
        self.sets = Service(sets_pb2_grpc.SetsServiceStub(channel))
        self.sides = Service(sides_pb2_grpc.SidesServiceStub(channel))
        self.teaching = Service(teaching_pb2_grpc.TeachingServiceStub(channel))
        self.teaching_exports = Service(teaching_exports_pb2_grpc.TeachingExportsServiceStub(channel))
        self.studies = Service(reader_study_pb2_grpc.ReaderStudyServiceStub(channel))
        self.reading = Service(reader_study_pb2_grpc.ReadingServiceStub(channel))
        self.encode = Service(encode_pb2_grpc.EncodeServiceStub(channel))
        self.ingest = Service(ingest_pb2_grpc.IngestServiceStub(channel))
        self.models = Service(models_pb2_grpc.ModelsServiceStub(channel))
        self.jobs = Service(jobs_pb2_grpc.JobsServiceStub(channel))
        self.analytics = Service(analytics_pb2_grpc.AnalyticsServiceStub(channel))
        self.cohorts = Service(cohort_pb2_grpc.CohortsServiceStub(channel))
        self.cohort_exports = Service(cohort_exports_pb2_grpc.CohortExportsServiceStub(channel))
