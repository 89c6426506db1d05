"""One indexing round at a time: within a process, and among processes that were given the same file."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_SECONDS = 0.2


class Turn:
    """Whose turn it is. The system gives the file free when a process ends, however it ends."""

    def __init__(self, path: Path | None, stop: threading.Event) -> None:
        """`path`: None where no other process takes turns with this one. `stop`: nobody gets a turn once it is set."""
        self._path, self._stop = path, stop
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Wait for the turn and keep it for the time of the block; False where `stop` came first."""
        with self._lock:
            if self._path is None:
                yield not self._stop.is_set()
                return
            held = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                yield self._locked(held)
            finally:
                os.close(held)

    def _locked(self, held: int) -> bool:
        while not self._stop.is_set():
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                self._stop.wait(_LOOK_SECONDS)
        return False
