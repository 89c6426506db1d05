"""Running the engine as a child process: start it, know its address, restart it if it dies, stop it cleanly."""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO

log = logging.getLogger("hilum.engine.supervisor")

READY_SECONDS = 120.0  # a large collection takes seconds to open, and its log may have to be replayed
STOP_SECONDS = 30.0
BACKOFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 30.0


class EngineFailedError(RuntimeError):
    """The engine did not start; the message holds what it said."""


class EngineProcess:
    """One engine process over one data directory.

    with EngineProcess(Path("data/vectors")) as engine:
        client = QdrantClient("127.0.0.1", grpc_port=engine.port, prefer_grpc=True, check_compatibility=False)

    If the process dies it is started again on the same port, after a pause that grows while it keeps dying.
    """

    def __init__(
        self, directory: Path, port: int = 0, index_after: int | None = None, log_file: Path | None = None,
        turn: Path | None = None,
    ):  # fmt: skip
        """`port` 0 has one chosen at the first start and kept. `log_file` takes the engine's log; None: our stderr.
        `turn`: a file by which engines index one after another."""
        self.directory = directory
        self.port = port
        self.restarts = 0
        self._index_after = index_after
        self._log_file = log_file
        self._turn = turn
        self._process: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def url(self) -> str:
        """`127.0.0.1:PORT`, where the engine speaks gRPC."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the engine running now."""
        return self._process.pid if self._process is not None else None

    def start(self) -> str:
        """Start and wait until it serves; returns `url`. Raises EngineFailedError."""
        if self._process is not None:
            return self.url
        self._stopping.clear()
        self._process = self._spawn()
        self._watcher = threading.Thread(target=self._watch, name="engine-watcher", daemon=True)
        self._watcher.start()
        return self.url

    def _spawn(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "services.engine", "--dir", str(self.directory), "--port", str(self.port)]
        command += ["--parent-pid", str(os.getpid())]
        if self._index_after is not None:
            command += ["--index-after", str(self._index_after)]
        if self._turn is not None:
            command += ["--turn", str(self._turn)]
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
        errors: IO[bytes] | None = open(self._log_file, "ab") if self._log_file else None  # noqa: SIM115
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": path},
                process_group=0,  # Ctrl-C on a terminal is for us: we stop it when nobody needs it any more
            )
        finally:
            if errors is not None:
                errors.close()
        try:
            self.port = _port_when_ready(process)
        except BaseException:
            _end(process)
            raise
        return process

    def _watch(self) -> None:
        died = 0
        while not self._stopping.is_set():
            process, since = self._process, time.monotonic()
            if process is None:
                return
            code = process.wait()
            if self._stopping.is_set():
                return
            died = 0 if time.monotonic() - since > STEADY_SECONDS else died + 1
            while not self._stopping.is_set():
                pause = BACKOFF_SECONDS[min(max(died - 1, 0), len(BACKOFF_SECONDS) - 1)]
                log.warning("the engine ended with code %s: starting it again in %.1f s", code, pause)
                if self._stopping.wait(pause):
                    return
                try:
                    self._process = self._spawn()
                    self.restarts += 1
                    break
                except EngineFailedError as error:
                    died += 1
                    log.error("the engine did not start: %s", error)
        # stop() may have looked for a process just before the last spawn
        if self._process is not None:
            _end(self._process)

    def stop(self) -> None:
        """Stop it cleanly: calls under way end, everything is flushed. Safe to call twice."""
        self._stopping.set()
        if self._process is not None:
            _end(self._process)
        if self._watcher is not None:
            self._watcher.join(STOP_SECONDS)
        self._process = self._watcher = None

    def __enter__(self) -> EngineProcess:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.stop()


def _port_when_ready(process: subprocess.Popen[str]) -> int:
    """Wait for the ready line and return the port. Raises EngineFailedError."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(READY_SECONDS):
            raise EngineFailedError(f"not ready within {READY_SECONDS:.0f} s")
    line = process.stdout.readline()
    if not line:
        if (code := process.wait()) == -signal.SIGBUS:  # a page of a mapped file found no room
            raise EngineFailedError("its disk is full: free some space, or move the data directory, and try again")
        raise EngineFailedError(f"it ended with code {code}; its log says why")
    ready = json.loads(line)
    if "error" in ready:
        raise EngineFailedError(ready["error"])
    return int(ready["grpc"].rsplit(":", 1)[1])


def _end(process: subprocess.Popen[str]) -> None:
    """SIGTERM, then SIGKILL if it does not stop in time."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
