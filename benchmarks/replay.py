"""Engines on cores of their own, as far as the service can tell: a stand-in before each engine.

    python benchmarks/replay.py ADDRESS,ADDRESS

A search that is new goes to the engine, no two at a time, and its answer and time are kept. Asked again, the stand-in
waits as long and gives the same answer, and takes next to nothing of this machine's cores. So what a question of
several models costs the *service* is seen where there are fewer cores than models. Prints the addresses; ends
with stdin.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures

import grpc

THREADS = 16
_KEPT = "/Query"  # the method whose answers are kept; what changes an archive is not asked here
_ALONE = threading.Lock()


class StandIn(grpc.GenericRpcHandler):
    """Before one engine."""

    def __init__(self, address: str) -> None:
        self._engine = grpc.insecure_channel(address)
        self._kept: dict[bytes, tuple[bytes, float]] = {}

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(self._answering(details.method))

    def _answering(self, method: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        ask = self._engine.unary_unary(method)

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if found := self._kept.get(request):
                time.sleep(found[1])
                return found[0]
            try:
                with _ALONE:
                    started = time.perf_counter()
                    told: bytes = ask(request)
                    took = time.perf_counter() - started
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            if method.endswith(_KEPT):
                self._kept[request] = told, took
            return told

        return answer


def serve(address: str) -> tuple[grpc.Server, str]:
    """The running stand-in before an engine, and its address."""
    server = grpc.server(futures.ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers((StandIn(address),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


def main() -> None:
    serving = [serve(address.removeprefix("http://")) for address in sys.argv[1].split(",")]
    print(",".join(address for _, address in serving), flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
