"""The gRPC server of one engine process, on loopback only."""

# ruff: noqa: N802 - the method names are the API's
from __future__ import annotations

from concurrent import futures
from importlib import metadata
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from qdrant_client.grpc import (
    collections_service_pb2_grpc,
    points_service_pb2_grpc,
    qdrant_pb2,
    qdrant_pb2_grpc,
    snapshots_service_pb2_grpc,
)

from .catalog import Catalog
from .collections import Collections
from .errors import rpc
from .indexer import INDEX_AFTER_POINTS, Indexer
from .points import Points
from .snapshots import Snapshots

LOOPBACK = ("127.0.0.1", "::1", "localhost")
# Edge holds the interpreter lock in every call: more threads only wait. These let waits for flushes overlap.
THREADS = 16
MAX_MESSAGE_BYTES = 512 * 1024 * 1024


class Engine:
    """Catalog, indexer and server of one data directory."""

    def __init__(
        self, directory: Path, host: str = "127.0.0.1", port: int = 0, index_after: int = INDEX_AFTER_POINTS,
        turn: Path | None = None,
    ):  # fmt: skip
        """Open the directory and bind. Raises ValueError for a host that is not loopback, OSError if the port is taken,
        DirectoryBusyError or RegistryBrokenError from the catalog."""
        if host not in LOOPBACK:
            raise ValueError("the embedded engine has no authentication and listens on 127.0.0.1 only")
        self.catalog = Catalog(directory)
        self.indexer = Indexer(self.catalog, index_after, turn)
        options = [
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ]
        self._server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=options)
        self._health = health.HealthServicer()
        self._register()
        address = f"[{host}]" if ":" in host else host
        try:
            self.port = self._server.add_insecure_port(f"{address}:{port}")
        except RuntimeError as error:
            self.catalog.close()
            raise OSError(f"port {port} is taken: choose another, or 0 to have one chosen") from error
        self.address = f"{address}:{self.port}"

    def _register(self) -> None:
        server = self._server
        points_service_pb2_grpc.add_PointsServicer_to_server(Points(self.catalog), server)
        collections_service_pb2_grpc.add_CollectionsServicer_to_server(Collections(self.catalog, self.indexer), server)
        snapshots_service_pb2_grpc.add_SnapshotsServicer_to_server(Snapshots(self.catalog), server)
        qdrant_pb2_grpc.add_QdrantServicer_to_server(Health(), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)

    def start(self) -> None:
        """Serve."""
        self._server.start()
        self.indexer.start()
        self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace: float = 5.0) -> None:
        """Refuse new calls, let those under way end within `grace` seconds, flush and close."""
        self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        self._server.stop(grace).wait()
        self.indexer.stop()
        self.catalog.close()


class Health(qdrant_pb2_grpc.QdrantServicer):
    """Qdrant's own health check."""

    @rpc
    def HealthCheck(self, request: qdrant_pb2.HealthCheckRequest, context: Any) -> qdrant_pb2.HealthCheckReply:
        version = metadata.version("qdrant-edge-py")
        return qdrant_pb2.HealthCheckReply(title="hilum embedded engine (Qdrant Edge)", version=version)
