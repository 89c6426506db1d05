"""A connection to Hilum over gRPC: every call with its deadline, asked again while a service is away."""

from __future__ import annotations

import asyncio
import copy
import os
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import grpc

from hilum import locate
from hilum.channel import OPTIONS, Rpc, Stubs, metadata
from hilum.errors import from_rpc
from hilum.retries import Tries


class _Dialled:
    """What both connections are made of.

    url: ``host:port``. Without it HILUM_URL, else the `hilum up` that has the data folder open, else 127.0.0.1:50051.
    timeout: seconds a call may take in all; the service hears of it (jobs run on; watching one has no limit).
    patience: seconds of these for which calls that change nothing are asked again while the service is away or busy.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        data: str | os.PathLike[str] | None = None,
        timeout: float = 60.0,
        patience: float = 10.0,
        endpoint: locate.Endpoint | None = None,
    ) -> None:
        self.endpoint = endpoint or locate.find(url, data)
        self._timeout, self._patience = timeout, patience
        self._channel = self._dial(self.endpoint.grpc)
        self._metadata = metadata(self.endpoint)
        self._to = Stubs(self._channel)

    def within(self, seconds: float) -> Self:
        """The same connection with another timeout: ``client.within(2).search(text="edema")``."""
        other = copy.copy(self)
        other._timeout = seconds
        return other

    @staticmethod
    def _dial(address: str) -> Any:
        raise NotImplementedError

    def _tries(self, rpc: Rpc, request: Any, timeout: float | None) -> Tries:
        return Tries(rpc.name, request, timeout, self._patience)


class Connection(_Dialled):
    """Safe to share between threads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; those made by `within` end with it."""
        self._channel.close()

    @staticmethod
    def _dial(address: str) -> Any:
        return grpc.insecure_channel(address, options=OPTIONS)

    def _call(self, rpc: Rpc, request: Any) -> Any:
        tries = self._tries(rpc, request, self._timeout)
        while True:
            try:
                return rpc.call(request, timeout=tries.left(), metadata=self._metadata)
            except grpc.RpcError as error:
                if (pause := tries.pause(error)) is None:
                    raise from_rpc(error) from None
            time.sleep(pause)

    def _stream(self, rpc: Rpc, request: Any, timeout: float | None = None, resume: bool = False) -> Iterator[Any]:
        """resume: a stream that broke may begin again, as it tells how things stand."""
        tries, begun = self._tries(rpc, request, timeout), False
        while True:
            try:
                for item in rpc.call(request, timeout=tries.left(), metadata=self._metadata):
                    begun = True
                    tries.alive()
                    yield item
                return
            except grpc.RpcError as error:
                pause = tries.pause(error) if resume or not begun else None
                if pause is None:
                    raise from_rpc(error) from None
            time.sleep(pause)


class AsyncConnection(_Dialled):
    """For one event loop."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up; those made by `within` end with it."""
        await self._channel.close()

    @staticmethod
    def _dial(address: str) -> Any:
        return grpc.aio.insecure_channel(address, options=OPTIONS)

    async def _call(self, rpc: Rpc, request: Any) -> Any:
        tries = self._tries(rpc, request, self._timeout)
        while True:
            try:
                return await rpc.call(request, timeout=tries.left(), metadata=self._metadata)
            except grpc.RpcError as error:
                if (pause := tries.pause(error)) is None:
                    raise from_rpc(error) from None
            await asyncio.sleep(pause)

    async def _stream(
        self, rpc: Rpc, request: Any, timeout: float | None = None, resume: bool = False
    ) -> AsyncIterator[Any]:
        """As `Connection._stream`."""
        tries, begun = self._tries(rpc, request, timeout), False
        while True:
            try:
                async for item in rpc.call(request, timeout=tries.left(), metadata=self._metadata):
                    begun = True
                    tries.alive()
                    yield item
                return
            except grpc.RpcError as error:
                pause = tries.pause(error) if resume or not begun else None
                if pause is None:
                    raise from_rpc(error) from None
            await asyncio.sleep(pause)
