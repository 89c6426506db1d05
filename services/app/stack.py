"""The composition root of the all-in-one process: engine, facts, the three services, one gRPC and one HTTP port."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import uvicorn

from services.analytics import atlas_router
from services.analytics.api import AnalyticsApi
from services.analytics.jobs import AnalyticsWorker
from services.app.version import VERSION
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import jobs, open_facts
from services.core.ids import load_secret
from services.core.logs import get_logger
from services.core.store import VectorStore
from services.encoders.registry import Registry
from services.ingest.api import IngestApi
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.ingest.jobs import IngestWorker
from services.query.api import QueryApi
from services.query.web.pages import web_router
from services.transport import grpc_edge, http_edge
from services.transport.bind import loopback
from services.transport.encode_client import EncodeClient
from services.transport.jobs import JobsApi

log = get_logger("app")


class Stack:
    """Everything that runs in one process on one data folder. `start` returns once it answers; `stop` loses nothing.

    http: also serve HTTP and the UI. Commands that only need answers leave it out.
    """

    def __init__(self, settings: Settings, http: bool = True) -> None:
        self._settings, self._http = settings, http
        self._open = ExitStack()
        self.token = secrets.token_urlsafe(32)
        self.grpc = ""
        self.url = ""

    def start(self) -> Stack:
        """Raises FAILED_PRECONDITION when another process has the data folder or a port."""
        try:
            self._start()
        except BaseException:
            self._open.close()
            raise
        return self

    def stop(self) -> None:
        """Let calls in flight end, give running jobs back, close the engine with everything on disk."""
        self._open.close()

    def __enter__(self) -> Stack:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        settings = self._settings
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._open.enter_context(_lock(settings.data_dir))
        facts = open_facts(settings.facts)
        self._open.callback(facts.close)
        jobs.orphans(facts)  # the lock says that nobody else is at work on this data
        if settings.engine_url == "embedded:":
            from services.engine.supervisor import EngineProcess

            engine = self._open.enter_context(EngineProcess(settings.data_dir / "engine"))
            settings = settings.with_engine(engine.url)
        store = VectorStore(settings.engine_url, settings.engine_api_key)
        self._open.callback(store.close)
        blobs = Blobs(settings.data_dir / "blobs")
        registry = Registry.bundled(settings.models, settings.threads)
        pool = DecodePool(settings.decode_workers)
        self._open.callback(pool.close)
        secret = load_secret(settings.data_dir)

        ingest = IngestWorker(settings, facts, store, blobs, registry, pool, secret)
        encode = EncodeApi(facts, registry, pool)
        analytics = AnalyticsWorker(settings, facts)
        query = QueryApi(facts, store, EncodeClient.local(encode), blobs)
        apis = [query, encode, IngestApi(settings, facts, registry), JobsApi(facts), AnalyticsApi(facts)]

        server = grpc_edge.serve(apis, settings.grpc_bind, self.token)
        self._open.callback(server.stop)
        self.grpc = f"127.0.0.1:{server.port}"
        if self._http:
            warm = registry.warm()
            app = http_edge.build(
                apis,
                [web_router(facts, query), atlas_router.build(settings.data_dir)],
                ready=lambda: {"engine": store.alive(), "facts": _answers(facts), "encoders": warm.is_set()},
                operator_token=self.token,
                version=VERSION,
            )
            self.url = self._open.enter_context(_Http(app, settings.http_bind)).url
        for worker in (ingest, analytics):
            worker.start()
            self._open.callback(worker.stop)
        self._open.callback(_leave_note(settings.data_dir, self).unlink, missing_ok=True)
        log.info("started", pid=os.getpid(), version=VERSION)


class _Http:
    """uvicorn in a thread of its own, so that the process' main thread keeps the signals."""

    def __init__(self, app: object, bind: str) -> None:
        host, port = loopback(bind)
        config = uvicorn.Config(
            app, host=host, port=port, log_config=None, access_log=False, timeout_keep_alive=10, server_header=False,
            limit_concurrency=200,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._socket = _bind(config, bind)
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


def _bind(config: uvicorn.Config, bind: str) -> object:
    import socket

    host, port = loopback(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, f"cannot listen on {bind}: is another server there? choose --http"
        ) from None
    return sock


def _lock(data_dir: Path) -> TextIO:
    (data_dir / "run").mkdir(exist_ok=True)
    lock = open(data_dir / "run" / "lock", "w")  # noqa: SIM115 - held for as long as the process lives
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "another Hilum has this data folder open; commands use it by themselves, or choose another --data",
        ) from None
    return lock


def _leave_note(data_dir: Path, stack: Stack) -> Path:
    """Tell this machine's user where we are and hand over the operator token; readable by its owner alone."""
    path = data_dir / "run" / "endpoint.json"
    part = path.with_suffix(".part")
    note = {"grpc": stack.grpc, "http": stack.url, "pid": os.getpid(), "token": stack.token}
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(note, file)
    part.replace(path)
    return path


def _answers(facts: object) -> bool:
    from services.core.facts import models

    try:
        models.active(facts)  # type: ignore[arg-type]
    except HilumError:
        return False
    return True
