"""The columns of an archive, kept between previews: whoever types a criterion waits for its counts, not for a scan."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from services.analytics import frame
from services.analytics.cohort import version
from services.analytics.cohort.calendar import Calendar
from services.analytics.cohort.conditions import Conditions
from services.analytics.cohort.population import Population
from services.analytics.progress import Progress
from services.core.facts import Facts

_IDLE_SECONDS = 600.0  # a population of two million films takes some hundred megabytes
NOW = tuple[int, str]


@dataclass(frozen=True)
class Held:
    """What was read. state: of the archive then.  where: the filter of those who may see it."""

    state: NOW
    where: str
    population: Population
    conditions: Conditions
    calendar: Calendar


class Archive:
    """One population at a time, read anew when the archive has changed, for other columns, or for somebody who may see
    others. Safe to share between threads that hold `lock`."""

    def __init__(self, facts: Facts) -> None:
        self.lock = threading.Lock()
        self._facts = facts
        self._held: Held | None = None
        self._timer: threading.Timer | None = None

    def held(self, where: str, columns: Sequence[str], progress: Progress) -> Held:
        """The films that pass `where`, with these columns at least. Raises INVALID_FILTER, UNAVAILABLE."""
        state, known = version.state(self._facts), self._held
        same = known is not None and (known.state, known.where) == (state, where)
        there = set(known.population.frame.table.column_names) if same and known else set()
        if known is None or not same or not set(columns) <= there:
            self._held = None
            wanted = tuple(dict.fromkeys((*columns, *there)))
            population = Population(frame.load(self._facts, where, [], wanted, progress, state[0]))
            known = self._held = Held(
                state, where, population, Conditions(population, self._facts), Calendar(population)
            )
        self._forget_later()
        return known

    def close(self) -> None:
        """Let go of what is held."""
        if self._timer is not None:
            self._timer.cancel()
        self._held = None

    def _forget_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(_IDLE_SECONDS, self.close)
        self._timer.daemon = True
        self._timer.start()
