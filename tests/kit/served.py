"""Api objects on both transports, on free ports of loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import APIRouter

from services.transport import grpc_edge, http_edge
from services.transport.edge import Api


@dataclass(frozen=True)
class Served:
    """Where they answer: `grpc` is ``127.0.0.1:port``, `url` is ``http://127.0.0.1:port``."""

    grpc: str
    url: str


@contextmanager
def served(apis: Sequence[Api], routers: Sequence[APIRouter] = (), operator_token: str = "") -> Iterator[Served]:
    """Serve until the block ends."""
    rpc = grpc_edge.serve(apis, "127.0.0.1:0", operator_token)
    listener = socket.create_server(("127.0.0.1", 0))
    app = http_edge.build(apis, routers, operator_token=operator_token)
    http = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=http.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield Served(f"127.0.0.1:{rpc.port}", f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        http.should_exit = True
        thread.join(10)
        listener.close()
        rpc.stop(0)
