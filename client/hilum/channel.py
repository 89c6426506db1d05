"""What both clients dial with."""

from __future__ import annotations

from typing import Any

from hilum.locate import Endpoint
from hilum.v1 import (
    analytics_pb2_grpc,
    encode_pb2_grpc,
    ingest_pb2_grpc,
    jobs_pb2_grpc,
    models_pb2_grpc,
    query_pb2_grpc,
)

_MESSAGE_BYTES = 65 * 2**20
OPTIONS = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)]


def metadata(endpoint: Endpoint) -> list[tuple[str, str]]:
    """The operator token, where this machine's user has one."""
    return [("x-hilum-operator", endpoint.token)] if endpoint.token else []


class Stubs:
    """Every service of the contract on one channel, sync or async."""

    def __init__(self, channel: Any) -> None:
        self.query = query_pb2_grpc.QueryServiceStub(channel)
        self.encode = encode_pb2_grpc.EncodeServiceStub(channel)
        self.ingest = ingest_pb2_grpc.IngestServiceStub(channel)
        self.models = models_pb2_grpc.ModelsServiceStub(channel)
        self.jobs = jobs_pb2_grpc.JobsServiceStub(channel)
        self.analytics = analytics_pb2_grpc.AnalyticsServiceStub(channel)
