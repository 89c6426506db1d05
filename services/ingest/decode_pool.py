"""A pool of decode children that survives what files do to decoders.

A child that crashes, hangs or outgrows its memory is replaced; its film gets a second try on a fresh child, then it is
refused. Callers are threads: each borrows a child, so as many films are decoded at a time as there are children.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from services.core.errors import ErrorCode, HilumError
from services.core.logs import get_logger
from services.core.types import Film
from services.ingest.decode import Decoded
from services.ingest.reasons import BadFilm, Reason
from services.ingest.stated import Stated

log = get_logger("ingest")

TRIES = 2
FILMS_PER_CHILD = 2_000  # then it is replaced, so that what a decoder leaks is bounded
# Films come one after the other in much the same arrays: memory that is given back to the system and asked for again
# each time was a fifth of all that decoding took (1.3 of 7.8 ms, films of 512 pixels).
_MEMORY = {"ARENA_MAX": "2", "MMAP_THRESHOLD_": str(32 * 2**20), "TRIM_THRESHOLD_": str(64 * 2**20)}
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one film may cost: address space in bytes, CPU and wall time in seconds."""

    memory: int = 1_280 * 2**20  # of which a film of 64 million pixels needs most; common films need a tenth
    cpu: int = 60
    wall: float = 90.0


class DecodePool:
    """`workers` children, started when first needed. Safe to share between threads."""

    def __init__(
        self, workers: int = 2, bounds: Bounds = Bounds(), module: str = "services.ingest.decode_child"
    ) -> None:  # fmt: skip
        self.workers = max(1, workers)
        self._bounds, self._module = bounds, module
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        self._children: set[_Child] = set()
        self._lock = threading.Lock()
        self._closed = False
        for _ in range(self.workers):
            self._idle.put(None)

    def decode(self, data: bytes, layout: str = "auto") -> Decoded:
        """One film's bytes → `Decoded`. Blocks while all children are busy. Raises BadFilm."""
        for attempt in range(1, TRIES + 1):
            child = self._idle.get()
            back: _Child | None = None
            try:
                if child is None:
                    child = self._spawn()
                answer = child.ask(data, layout)
                back = child if child.films < FILMS_PER_CHILD else None
            except _ChildDied as death:
                log.warning("decoder.died", reason=death.reason.value, attempt=attempt)
                if attempt == TRIES:
                    raise BadFilm(death.reason) from None
                continue
            finally:
                if back is None and child is not None:
                    self._bury(child)
                self._idle.put(back)
            if isinstance(answer, Reason):
                raise BadFilm(answer)
            return answer
        raise AssertionError

    def close(self) -> None:
        """End every child; one that is busy is killed, and its caller gets CANCELLED."""
        with self._lock:
            self._closed = True
            children = list(self._children)
        for child in children:
            child.end()

    def pids(self) -> list[int]:
        """Process ids of the living children."""
        with self._lock:
            return [child.pid for child in self._children]

    def _spawn(self) -> _Child:
        with self._lock:
            if self._closed:
                raise HilumError(ErrorCode.CANCELLED, "the service is stopping; try again")
            child = _Child(self._module, self._bounds)
            self._children.add(child)
            return child

    def _bury(self, child: _Child) -> None:
        child.end()
        with self._lock:
            self._children.discard(child)
            if self._closed:
                raise HilumError(ErrorCode.CANCELLED, "the service is stopping; try again")


class _ChildDied(Exception):  # noqa: N818 - an event, handled at once
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class _Child:
    """One child process and the socket to it."""

    def __init__(self, module: str, bounds: Bounds) -> None:
        self._wall = bounds.wall
        self.films = 0
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [str(theirs.fileno()), str(bounds.memory), str(bounds.cpu)]
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()], env=_environment(), cwd="/",
            )  # fmt: skip
        self.pid = self._process.pid
        self._connection = Connection(ours.detach())
        try:
            self._connection.recv_bytes()  # "ready": its libraries are there and its limits in force
        except EOFError:
            self.end()
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "the film decoder does not start; `hilum doctor` tells what is missing"
            ) from None

    def ask(self, data: bytes, layout: str) -> Decoded | Reason:
        """Raises _ChildDied when the child crashes or takes longer than its wall time."""
        self.films += 1
        timed_out = threading.Event()

        def too_late() -> None:
            timed_out.set()
            self._process.kill()

        timer = threading.Timer(self._wall, too_late)
        timer.daemon = True
        timer.start()
        try:
            self._connection.send_bytes(layout.encode())
            self._connection.send_bytes(data)
            return self._receive()
        except (EOFError, OSError):
            code = self._process.wait()
            late = timed_out.is_set() or code == -24  # SIGXCPU
            raise _ChildDied(Reason.DECODER_TIMEOUT if late else Reason.DECODER_CRASHED) from None
        finally:
            timer.cancel()

    def _receive(self) -> Decoded | Reason:
        header = json.loads(self._connection.recv_bytes())
        if "reason" in header:
            return Reason(header["reason"])
        shape: Sequence[int] = header["shape"]
        thumbnail = self._connection.recv_bytes()
        display = np.frombuffer(self._connection.recv_bytes(), dtype=np.uint8).reshape(shape)
        if header["is_8_bit"]:
            full = display * np.uint16(257)
        else:
            full = np.frombuffer(self._connection.recv_bytes(), dtype=np.uint16).reshape(shape)
        stated = Stated(**header["stated"])
        return Decoded(
            Film(display, full), stated, header["sop_uid"], header["pixel_sha256"], header["phash"], thumbnail
        )

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()


def _environment() -> dict[str, str]:
    """No more than Python needs: no keys, no proxies, one thread."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **one, **{f"MALLOC_{name}": value for name, value in _MEMORY.items()}, "PYTHONPATH": str(_ROOT)}
