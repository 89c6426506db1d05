"""How far a job is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from services.core.types import JobProgress, Outcome


class Decided(Protocol):
    """An item with its outcome."""

    outcome: Outcome | None


@dataclass(slots=True)
class Tally:
    """`fresh` counts what this process did itself, for the estimate of the time left. `part`: done and total of a stage
    that counts other things than films."""

    total: int = 0
    stage: str = "listing"
    counts: Counter[str] = field(default_factory=Counter)
    fresh: int = 0
    started: float = field(default_factory=time.monotonic)
    part: tuple[int, int] | None = None

    def start(self, stage: str) -> None:
        """The long part begins; time counts from here."""
        self.stage, self.started = stage, time.monotonic()

    def add(self, batch: Iterable[Decided]) -> None:
        for work in batch:
            assert work.outcome is not None
            self.counts[work.outcome.value] += 1
            self.fresh += 1

    def progress(self) -> JobProgress:
        if self.part is not None:
            return JobProgress(self.stage, *self.part, None, dict(self.counts))
        done, elapsed = self.counts.total(), time.monotonic() - self.started
        left = elapsed / self.fresh * (self.total - done) if self.fresh and elapsed > 1 else None
        return JobProgress(self.stage, done, self.total, left, dict(self.counts))

    def result(self) -> dict[str, object]:
        """Counts by outcome and the pace, as a job's result tells them."""
        took = time.monotonic() - self.started
        return {
            **{outcome.value: self.counts[outcome.value] for outcome in Outcome},
            "elapsed_seconds": round(took, 3),
            "films_per_second": round(self.fresh / took, 2) if took else 0.0,
        }
