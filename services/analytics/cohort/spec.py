"""The specification of a cohort: the contract's ``CohortSpec``, read from YAML, JSON or its own JSON, and checked.

    spec = from_text(Path("adults.yaml").read_text()); spec.sha256; Spec.parse(spec.as_json()) == spec

Two texts that say the same have one canonical JSON and one hash: filters are kept as `filters.describe` writes them,
and what is at its default is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from services.analytics.asked import MAX_SEED
from services.analytics.cohort.reading import parsed
from services.analytics.cohort.spec_checks import Part, canonical, films, one_line, one_of
from services.analytics.cohort.spec_draws import (
    EQUAL,
    GROUP,
    PROPORTIONAL,
    QUOTAS,
    RANDOM,
    SPLIT,
    STRATIFIED,
    TARGET,
    Match,
    Quota,
    Sample,
    Split,
    Table,
    Target,
)
from services.core import filters
from services.core.errors import invalid
from services.core.facts import sets
from services.core.limits import MAX_TEXT_CHARS

__all__ = [
    "ALL", "ANY", "ARCHIVE", "EQUAL", "FIRST", "GROUP", "IMAGE", "LAST", "PATIENT", "PROPORTIONAL", "QUOTAS", "RANDOM",
    "REMAINING", "SPLIT", "STRATIFIED", "STUDY", "TARGET", "UNITS", "Cap", "Cluster", "Criterion", "Ids", "Likeness",
    "Match", "Quota", "Sample", "Spec", "Split", "Table", "Target", "Time", "from_text",
]  # fmt: skip

IMAGE, STUDY, PATIENT = UNITS = ("image", "study", "patient")
ANY, ALL = "any", "all"
ARCHIVE, REMAINING = "archive", "remaining"
FIRST, LAST = "first", "last"
MOST_CRITERIA, MOST_CAPS, MOST_IDS, MOST_PROBES = 64, 8, 200_000, 256
_NAMES = ("name", "title", "rerun_of")
_MOST_DAYS = 100 * 366


@dataclass(frozen=True, kw_only=True)
class Time(Part):
    """By the patient's calendar. from_day, to_day: days from the anchor, None for no bound."""

    anchor: str = ""
    which: str = FIRST
    from_day: int | None = None
    to_day: int | None = None
    at_least_studies: int = 0

    def __post_init__(self) -> None:
        self._set(anchor=canonical(self.anchor))
        one_of("which", self.which, (FIRST, LAST))
        for bound in (self.from_day, self.to_day):
            if bound is not None and abs(bound) > _MOST_DAYS:
                raise invalid("from_day and to_day are days from the anchor, at most a hundred years")
        if self.from_day is not None and self.to_day is not None and self.from_day > self.to_day:
            raise invalid("from_day is after to_day; days before the anchor are negative")
        if self.at_least_studies < 0:
            raise invalid("at_least_studies is 0 or more")

    @property
    def days(self) -> bool:
        """Is there a window of days?"""
        return self.from_day is not None or self.to_day is not None


@dataclass(frozen=True, kw_only=True)
class Likeness(Part):
    """Near any of these films or these words. Needs `top`, `at_least`, or both."""

    image_ids: tuple[str, ...] = ()
    text: str = ""
    search_id: str = ""
    model: str = ""
    top: int = 0
    at_least: float = 0.0
    finding: str = ""

    def __post_init__(self) -> None:
        self._set(image_ids=films(self.image_ids, MOST_PROBES))
        if [bool(self.image_ids), bool(self.text.strip()), bool(self.search_id)].count(True) != 1:
            raise invalid("name what to be near to: image_ids, text or search_id, one of them")
        if len(self.text) > MAX_TEXT_CHARS:
            raise invalid(f"text is at most {MAX_TEXT_CHARS} characters")
        if self.top < 0 or not 0 <= self.at_least <= 1 or not (self.top or self.at_least):
            raise invalid("name top (the nearest so many films) or at_least (a probability from 0 to 1)")
        if self.finding:
            self._set(finding=filters.fields.field(f"labels.{self.finding}").name.split(".")[1])


@dataclass(frozen=True, kw_only=True)
class Cluster(Part):
    """In these clusters of an analysis, by its model and resolution."""

    run_id: str
    model: str
    resolution: float
    numbers: tuple[int, ...]

    def __post_init__(self) -> None:
        self._set(numbers=tuple(sorted(set(self.numbers))))
        if not (self.run_id and self.model and self.resolution > 0 and self.numbers and self.numbers[0] >= 0):
            raise invalid("a cluster is named by run_id, model, resolution and numbers, as the run's report has them")


@dataclass(frozen=True, kw_only=True)
class Ids(Part):
    """Drawn on a map, pasted from a list."""

    image_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        self._set(image_ids=films(self.image_ids, MOST_IDS))
        if not self.image_ids:
            raise invalid("name at least one film")


@dataclass(frozen=True, kw_only=True)
class Criterion(Part):
    """One box of the flow diagram: one test, at a level, to be passed or (exclude) not to be passed."""

    name: str = ""
    exclude: bool = False
    level: str = IMAGE
    films: str = ANY
    among: str = ARCHIVE
    filter: str = ""
    time: Time | None = None
    similar: Likeness | None = None
    cluster: Cluster | None = None
    ids: Ids | None = None

    def __post_init__(self) -> None:
        self._set(filter=canonical(self.filter))
        one_of("level", self.level, UNITS)
        one_of("films", self.films, (ANY, ALL))
        one_of("among", self.among, (ARCHIVE, REMAINING))
        tests = (self.filter or None, self.time, self.similar, self.cluster, self.ids)
        if sum(test is not None for test in tests) != 1:
            raise invalid("a criterion has one test: filter, time, similar, cluster or ids")
        one_line("a criterion's name", self.name)


@dataclass(frozen=True, kw_only=True)
class Cap(Part):
    """At most so many films (or whole studies) of each patient, or films of each study."""

    per: str
    most: int
    which: str = FIRST
    studies: bool = False

    def __post_init__(self) -> None:
        one_of("per", self.per, (PATIENT, STUDY))
        one_of("which", self.which, (FIRST, LAST, RANDOM))
        if self.most < 1:
            raise invalid("most is 1 or more")
        if self.studies and self.per != PATIENT:
            raise invalid("whole studies are counted per patient")


@dataclass(frozen=True, kw_only=True)
class Spec(Part):
    """A whole specification. Order of work: criteria, caps, match, sample; then split and table1."""

    title: str = ""
    name: str = ""
    unit: str = IMAGE
    criteria: tuple[Criterion, ...] = ()
    caps: tuple[Cap, ...] = ()
    match: Match | None = None
    sample: Sample | None = None
    split: Split | None = None
    table1: Table | None = None
    seed: int = 0
    rerun_of: str = ""

    def __post_init__(self) -> None:
        one_line("title", self.title)
        for name in (self.name, self.rerun_of):
            if name:
                sets.name(name)
        one_of("unit", self.unit, UNITS)
        if len(self.criteria) > MOST_CRITERIA or len(self.caps) > MOST_CAPS:
            raise invalid(f"a cohort has at most {MOST_CRITERIA} criteria and {MOST_CAPS} caps")
        if sum(len(one.ids.image_ids) for one in self.criteria if one.ids) > MOST_IDS:
            raise invalid(
                f"a cohort names at most {MOST_IDS:,} films; keep them as a set (`hilum sets create`), name it"
            )
        if not 0 <= self.seed <= MAX_SEED:
            raise invalid(f"seed is between 0 and {MAX_SEED}")
        by = self.table1.by if self.table1 else ""
        if (by == GROUP and not self.match) or (by == SPLIT and not self.split):
            raise invalid(
                f"table1 has a column for each {by}, and there is none: the cohort is not matched or not split"
            )

    @property
    def sha256(self) -> str:
        """Of the canonical JSON, but for names and title: what decides which films there are."""
        told = {name: value for name, value in self.as_json().items() if name not in _NAMES}
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def filters(self) -> Iterator[str]:
        """Every filter that is said somewhere."""
        for one in self.criteria:
            yield from (one.filter, one.time.anchor if one.time else "")
        if self.match:
            yield from (self.match.cases, self.match.controls)
        if self.sample:
            yield from (self.sample.like, *(quota.filter for quota in self.sample.quotas))

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable that sample, match, split and table speak of, but for `GROUP` and `SPLIT`."""
        found: list[str] = []
        if self.match:
            found += (*self.match.exact, *self.match.nearest, *self.match.propensity, *self.match.within)
        if self.sample:
            found += (*self.sample.by, *(target.variable for target in self.sample.targets))
        if self.split:
            found += self.split.stratify
        if self.table1:
            found += (*self.table1.variables, self.table1.by)
        return tuple(name for name in dict.fromkeys(found) if name not in ("", GROUP, SPLIT))


def from_text(text: str) -> Spec:
    """Read YAML or JSON. Raises INVALID_ARGUMENT, INVALID_FILTER, PAYLOAD_TOO_LARGE."""
    return Spec.parse(parsed(text))
