"""The connection to whichever engine answers: embedded, server or cluster; or to several, each with its collections."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from qdrant_client import QdrantClient
from qdrant_client import grpc as wire

from services.core.errors import HilumError
from services.core.limits import MAX_MESSAGE_BYTES
from services.core.store.retry import READ_PATIENCE, answered

_LIST = wire.ListCollectionsRequest()
_LOOK_AGAIN = 60.0  # seconds after which another process may have made a collection anew elsewhere

T = TypeVar("T")


class Connection:
    """gRPC connections. Safe to share between threads; a child process opens its own.

    url: ``http(s)://host:grpc_port`` or ``host:grpc_port``, or several with commas between them: a collection lies on
    one of them, a new one on that which holds fewest.  timeout: seconds that one call may take.
    """

    def __init__(self, url: str, api_key: str | None = None, timeout: float = 10.0) -> None:
        self._timeout = timeout
        self._engines = [_client(one, api_key, timeout) for one in url.split(",")]
        self._held: list[set[str]] = [set() for _ in self._engines]
        self._looked = -math.inf

    def close(self) -> None:
        for engine in self._engines:
            engine.close()

    def alive(self) -> bool:
        """Do all engines answer within the patience of a question?"""
        try:
            self._collections()
        except HilumError:
            return False
        return True

    def _ask(self, collection: str, call: Callable[[QdrantClient], T], patience: float) -> T:
        """What the engine of a collection answers. Raises HilumError, see `answered`."""
        return answered(lambda: call(self._at(collection)), patience)

    def _each(self, call: Callable[[QdrantClient], T], patience: float = READ_PATIENCE) -> list[T]:
        """What every engine answers, in their order."""
        return [answered(partial(call, engine), patience) for engine in self._engines]

    def _collections(self) -> list[str]:
        """Names of all collections."""
        found = self._each(_names)
        self._remember(found)
        return sorted(name for theirs in found for name in theirs)

    def _at(self, collection: str) -> QdrantClient:
        """The engine that holds a collection, or is to hold it once it is made. Raises what the client raises when an
        engine that may hold it does not answer: nothing is made twice because one of them is starting again."""
        if len(self._engines) == 1:
            return self._engines[0]
        place = self._place(collection)
        if place is None or time.monotonic() - self._looked > _LOOK_AGAIN:
            self._looked = time.monotonic()  # one caller looks; the others go on with what is known
            try:
                self._remember([_names(engine) for engine in self._engines])
            except Exception:
                if place is None:  # else what is known goes on: one engine that is away takes no others along
                    raise
            else:
                place = self._place(collection)
        if place is None:
            place = min(range(len(self._held)), key=lambda number: len(self._held[number]))
        return self._engines[place]

    def _place(self, collection: str) -> int | None:
        return next((number for number, theirs in enumerate(self._held) if collection in theirs), None)

    def _remember(self, held: list[set[str]]) -> None:
        self._held, self._looked = held, time.monotonic()


def _names(engine: QdrantClient) -> set[str]:
    return {one.name for one in engine.grpc_collections.List(_LIST, timeout=READ_PATIENCE).collections}


def _client(url: str, api_key: str | None, timeout: float) -> QdrantClient:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    return QdrantClient(
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
