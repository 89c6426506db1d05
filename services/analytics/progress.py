"""Progress of long work: who does it says how far it is, who wants to know decides what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Callable

Report = Callable[[str, int, int, float | None], None]
"""(stage, done, total, seconds left in this stage or None while nobody can tell)"""


class Progress:
    """Hands on at most five reports a second, but always the first and the last of a stage, and times the stages."""

    def __init__(self, report: Report | None = None) -> None:
        self._report = report
        self._stage = ""
        self._started = 0.0
        self._last = 0.0
        self.seconds: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self.close()
            self._stage, self._started, self._last = stage, now, 0.0
        if self._report is None or (now - self._last < 0.2 and done < total):
            return
        self._last = now
        elapsed = now - self._started
        left = elapsed / done * (total - done) if done and elapsed > 0.5 else None
        self._report(stage, done, total, left)

    def close(self) -> None:
        """End the stage that is under way."""
        if self._stage:
            spent = time.monotonic() - self._started
            self.seconds[self._stage] = round(self.seconds.get(self._stage, 0.0) + spent, 3)
            self._stage = ""
