"""What brings points up to date with facts, beside the questions: a thread that is told when there is work."""

from __future__ import annotations

import threading

from services.core.errors import HilumError
from services.core.facts import Facts
from services.core.logs import get_logger
from services.core.sets import renew, settle
from services.core.store import VectorStore

log = get_logger("query")
_PAUSE = 5.0  # seconds before another try, while the engine is away


class Upkeep:
    """`start` once; it begins with what an earlier process left undone. `soon` wakes it; `stop` ends it."""

    def __init__(self, facts: Facts, store: VectorStore) -> None:
        self._facts, self._store = facts, store
        self._asked, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name="upkeep", daemon=True)

    def start(self) -> None:
        self._asked.set()
        self._thread.start()

    def soon(self) -> None:
        """Something is to be brought up to date."""
        self._asked.set()

    def stop(self) -> None:
        """Leave the rest to the next start."""
        self._stopping.set()
        self._asked.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _loop(self) -> None:
        renewed = False
        while self._asked.wait() and not self._stopping.is_set():
            self._asked.clear()
            try:
                if not renewed:
                    renew(self._facts, self._store, self._stopping.is_set)
                    renewed = True
                settle(self._facts, self._store, self._stopping.is_set)
            except HilumError as error:
                log.warning("upkeep.paused", code=error.code.value)
                self._again()
            except Exception as error:
                log.exception("upkeep.failed", error)
                self._again()

    def _again(self) -> None:
        self._stopping.wait(_PAUSE)
        self._asked.set()
