"""A client that can only read: any other rpc is refused before it leaves this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hilum import Client, HilumError
from hilum.channel import Rpc
from hilum.locate import Endpoint

# What the tools need and no more. None of these changes anything.
READS = frozenset({
    "Search", "WhyNot", "GetImage", "GetThumbnail", "FacetImages", "ListModels", "ListRuns", "GetRun", "GetRunFile",
    "ListSets",
})  # fmt: skip


class ReadingClient(Client):
    """As `Client`, without the operator's token: an assistant may do what any caller may, and of that only read."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint=Endpoint(endpoint.grpc), timeout=30.0)

    def _call(self, rpc: Rpc, request: Any) -> Any:
        return super()._call(_reads(rpc), request)

    def _stream(self, rpc: Rpc, request: Any, timeout: float | None = None, resume: bool = False) -> Iterator[Any]:
        return super()._stream(_reads(rpc), request, timeout, resume)


def _reads(rpc: Rpc) -> Rpc:
    if rpc.name not in READS:
        raise HilumError("PERMISSION_DENIED", "assistants may only read")
    return rpc
