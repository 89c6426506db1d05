"""The flow of films: criterion by criterion and cap by cap, who is left, who fell, and who would have fallen anyway."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.analytics.cohort import caps, words
from services.analytics.cohort.calendar import Calendar
from services.analytics.cohort.conditions import Conditions
from services.analytics.cohort.population import Counts, Mask, Population
from services.analytics.cohort.similar import Near, Similar
from services.analytics.cohort.spec import ALL, REMAINING, Cap, Criterion, Spec
from services.analytics.progress import Progress
from services.core import clusters
from services.core.errors import ErrorCode, HilumError

ARCHIVE, INCLUDE, EXCLUDE, CAP, MATCH, SAMPLE = "archive", "include", "exclude", "cap", "match", "sample"
SELECTED = -1


@dataclass(frozen=True)
class Step:
    """One box. alone: what a criterion would remove from the whole archive if it were the only one."""

    name: str
    kind: str
    test: str
    left: Counts
    removed: Counts
    alone: Counts | None = None

    def as_json(self) -> dict[str, object]:
        told = {"name": self.name, "kind": self.kind, "test": self.test}
        alone = {"alone": self.alone.as_json()} if self.alone else {}
        return {**told, "left": self.left.as_json(), "removed": self.removed.as_json(), **alone}


@dataclass
class Flow:
    """A population on its way. mask: (N,) who is left.  fell: (N,) int16, the step at which each film fell, SELECTED
    for those left.  scores: step → (N,) float32, NaN where a film was not near enough to be told."""

    population: Population
    mask: Mask = field(init=False)
    fell: NDArray[np.int16] = field(init=False)
    steps: list[Step] = field(default_factory=list)
    scores: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mask = self.population.every()
        self.fell = np.full(len(self.population), SELECTED, np.int16)
        nothing = Counts(0, 0, 0)
        self.steps.append(Step("Archive", ARCHIVE, "", self.population.count(self.mask), nothing))

    def step(self, name: str, kind: str, test: str, passing: Mask, alone: Counts | None = None) -> None:
        """Let those who do not pass fall."""
        left = self.mask & passing
        self.fell[self.mask & ~left] = len(self.steps)
        counts = self.population.count(left)
        self.steps.append(Step(name, kind, test, counts, self.steps[-1].left - counts, alone))
        self.mask = left


@dataclass
class Judge:
    """Judges a population by a specification. runs: the folder of analyses."""

    population: Population
    conditions: Conditions
    similar: Similar
    runs: Path
    progress: Progress
    calendar: Calendar = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.calendar = self.calendar or Calendar(self.population)

    def flow(self, spec: Spec) -> Flow:
        """Criteria, then caps. Raises what their tests do."""
        flow = Flow(self.population)
        total = len(spec.criteria) + len(spec.caps)
        for number, one in enumerate(spec.criteria):
            self.progress("criteria", number, total)
            self.criterion(flow, one)
        for number, cap in enumerate(spec.caps, len(spec.criteria)):
            self.progress("criteria", number, total)
            self.cap(flow, cap, spec.seed)
        self.progress("criteria", total, total)
        return flow

    def criterion(self, flow: Flow, one: Criterion) -> None:
        among = flow.mask if one.among == REMAINING else None
        tested = self._tested(flow, one, among)
        passing = self.population.lifted(tested, one.level, one.films == ALL, among)
        passing = ~passing if one.exclude else passing
        alone = None
        if among is None:
            alone = flow.steps[0].left - self.population.count(passing)
        said = words.criterion(one)
        flow.step(one.name or said, EXCLUDE if one.exclude else INCLUDE, said, passing, alone)

    def cap(self, flow: Flow, cap: Cap, seed: int) -> None:
        left = caps.capped(self.population, self.calendar, flow.mask, cap, seed)
        said = words.cap(cap)
        flow.step(said[0].upper() + said[1:], CAP, said, left)

    def _tested(self, flow: Flow, one: Criterion, among: Mask | None) -> Mask:
        if one.time:
            return self.calendar.passing(one.time, self.conditions(one.time.anchor), among)
        if one.cluster:
            wanted = set(one.cluster.numbers)
            found = clusters.read(self.runs, one.cluster.run_id, one.cluster.model, one.cluster.resolution)
            return self.conditions.those([film for each in found if each.number in wanted for film in each.films])
        if one.ids:
            return self.conditions.those(one.ids.image_ids)
        if one.similar:
            near = self.similar(one.similar, among)
            scores = np.full(len(self.population), np.nan, np.float32)
            scores[near.rows] = near.scores
            flow.scores[len(flow.steps)] = scores
            return self._at(near)
        return self.conditions(one.filter)

    def _at(self, near: Near) -> Mask:
        found = np.zeros(len(self.population), bool)
        found[near.rows] = True
        return found


def empty(flow: Flow) -> HilumError:
    """What a cohort without a film is told, naming the step that took the last."""
    last = next((step for step in flow.steps if not step.left.images), flow.steps[-1])
    return HilumError(
        ErrorCode.FAILED_PRECONDITION, f"no film is left after “{last.name}”; loosen it, or what comes before"
    )
