"""What every serving process does: open its parts in order, listen, and close them in reverse order without loss."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TextIO

import uvicorn
from fastapi import APIRouter

from hilum import locate
from services.app.version import VERSION
from services.core.access import Access
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, models, open_facts
from services.core.logs import get_logger
from services.core.store import VectorStore
from services.transport import grpc_edge, http_edge
from services.transport.bind import loopback
from services.transport.edge import Api

log = get_logger("app")


class Process(ABC):
    """Parts of a process behind one gRPC port and, where asked for, one HTTP port. `start` returns once it answers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.opened = ExitStack()
        self.token = secrets.token_urlsafe(32)
        self.access = Access.named(settings.datasets)
        self.grpc = ""
        self.url = ""

    def start(self) -> Self:
        """Raises FAILED_PRECONDITION when another process has the data folder or a port."""
        try:
            self.settings.data_dir.mkdir(parents=True, exist_ok=True)
            self.compose()
        except BaseException:
            self.opened.close()
            raise
        log.info("started", pid=os.getpid(), version=VERSION)
        return self

    def stop(self) -> None:
        """Let calls in flight end, give running jobs back, leave everything on disk."""
        self.opened.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def compose(self) -> None:
        """Open the parts and serve them."""

    def facts(self) -> Facts:
        facts = open_facts(self.settings.facts)
        self.opened.callback(facts.close)
        return facts

    def store(self, engine_url: str) -> VectorStore:
        store = VectorStore(engine_url, self.settings.engine_api_key)
        self.opened.callback(store.close)
        return store

    def serve_grpc(self, apis: Sequence[Api]) -> None:
        server = grpc_edge.serve(apis, self.settings.grpc_bind, self.token, self.access)
        self.opened.callback(server.stop)
        self.grpc = f"127.0.0.1:{server.port}"

    def serve_http(
        self, apis: Sequence[Api], routers: Sequence[APIRouter], ready: Callable[[], dict[str, bool]]
    ) -> None:
        app = http_edge.build(
            apis, routers, ready=ready, operator_token=self.token, version=VERSION, access=self.access
        )
        self.url = self.opened.enter_context(_Http(app, self.settings.http_bind)).url

    def lock(self) -> None:
        """One all-in-one process per data folder. Raises FAILED_PRECONDITION."""
        self.opened.enter_context(_lock(self.settings.data_dir))

    def leave_note(self) -> None:
        """Tell this machine's user where we are and hand over the operator token; readable by its owner alone."""
        path = self.settings.data_dir / "run" / "endpoint.json"
        part = path.with_suffix(".part")
        note = {"grpc": self.grpc, "http": self.url, "pid": os.getpid(), "token": self.token}
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(note, file)
        part.replace(path)
        self.opened.callback(path.unlink, missing_ok=True)


def answers(facts: Facts) -> bool:
    """Does the database of facts answer?"""
    try:
        models.active(facts)
    except HilumError:
        return False
    return True


class _Http:
    """uvicorn in a thread of its own, so that the process' main thread keeps the signals."""

    def __init__(self, app: object, bind: str) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_keep_alive=10,
            server_header=False,
            limit_concurrency=200,
        )
        self._server = uvicorn.Server(config)
        self._socket = _bind(bind)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="http", daemon=True
        )

    def __enter__(self) -> _Http:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


def _bind(bind: str) -> socket.socket:
    host, port = loopback(bind)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, f"cannot listen on {bind}: is another server there? choose --http"
        ) from None
    return listener


def _lock(data_dir: Path) -> TextIO:
    (data_dir / "run").mkdir(exist_ok=True)
    lock = open(data_dir / "run" / "lock", "w")  # noqa: SIM115 - held for as long as the process lives
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        found = locate.running(data_dir)
        where = f" at {found.http}" if found and found.http else ""
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"another Hilum has this data folder open{where}; commands use it by themselves, or choose another --data",
        ) from None
    return lock
