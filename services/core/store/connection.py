"""The connection to whichever engine answers: embedded, server or cluster."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

from qdrant_client import QdrantClient

from services.core.errors import HilumError
from services.core.limits import MAX_MESSAGE_BYTES
from services.core.store.retry import READ_PATIENCE, answered


class Connection:
    """One gRPC connection. Safe to share between threads; a child process opens its own.

    url: ``http(s)://host:grpc_port`` or ``host:grpc_port``.  timeout: seconds that one call may take.
    """

    def __init__(self, url: str, api_key: str | None = None, timeout: float = 10.0) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        self._timeout = timeout
        self._client = QdrantClient(
            host=parts.hostname or "127.0.0.1",
            grpc_port=parts.port or 6334,
            https=parts.scheme == "https",
            api_key=api_key,
            prefer_grpc=True,
            timeout=math.ceil(timeout),
            check_compatibility=False,
            grpc_options={
                "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
                "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
                # An engine that was restarted is found again within a second, not after gRPC's own two minutes.
                "grpc.initial_reconnect_backoff_ms": 100,
                "grpc.max_reconnect_backoff_ms": 1000,
            },
        )

    def close(self) -> None:
        self._client.close()

    def alive(self) -> bool:
        """Does the engine answer within the patience of a question?"""
        try:
            answered(self._client.get_collections, READ_PATIENCE)
        except HilumError:
            return False
        return True
