"""The specification of a cohort: the contract's ``CohortSpec``, read from YAML, JSON or its own JSON, and checked.

    spec = from_text(Path("adults.yaml").read_text()); spec.sha256; Spec.parse(spec.as_json()) == spec

Two texts that say the same have one canonical JSON and one hash: filters are kept as `filters.describe` writes them,
and what is at its default is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from services.analytics import variables
from services.analytics.asked import MAX_SEED
from services.analytics.cohort.reading import parsed, plain, read
from services.core import filters
from services.core.errors import invalid
from services.core.facts import sets
from services.core.ids import parse_image_id
from services.core.limits import MAX_FILTER_CHARS, MAX_TEXT_CHARS

IMAGE, STUDY, PATIENT = UNITS = ("image", "study", "patient")
ANY, ALL = "any", "all"
ARCHIVE, REMAINING = "archive", "remaining"
FIRST, LAST, RANDOM = "first", "last", "random"
STRATIFIED, QUOTAS, TARGET = "stratified", "quotas", "target"
PROPORTIONAL, EQUAL = "proportional", "equal"
GROUP, SPLIT = "group", "split"  # columns of Table 1 that no film has of itself
MOST_CRITERIA, MOST_CAPS, MOST_IDS, MOST_PROBES, MOST_VARIABLES = 64, 8, 200_000, 256, 64
_NAMES = ("name", "title", "rerun_of")
_MOST_DAYS = 100 * 366
_TOTAL = 1e-6  # how far shares may be from adding up to 1
_CALIPER = 0.2  # of the standard deviation of the logit: Austin, Pharm Stat 2011;10:150


class Part:
    """What every part of a specification can: be read, and be told as JSON."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Read plain JSON. Raises INVALID_ARGUMENT or INVALID_FILTER, saying where."""
        found: Self = read(cls, given)
        return found

    def as_json(self) -> dict[str, Any]:
        """Plain JSON without what is at its default; `parse` reads it back."""
        return plain(self)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, kw_only=True)
class Time(Part):
    """By the patient's calendar. from_day, to_day: days from the anchor, None for no bound."""

    anchor: str = ""
    which: str = FIRST
    from_day: int | None = None
    to_day: int | None = None
    at_least_studies: int = 0

    def __post_init__(self) -> None:
        self._set(anchor=_filter(self.anchor))
        _one_of("which", self.which, (FIRST, LAST))
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
        self._set(image_ids=_ids(self.image_ids, MOST_PROBES))
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
        self._set(image_ids=_ids(self.image_ids, MOST_IDS))
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
        self._set(filter=_filter(self.filter))
        _one_of("level", self.level, UNITS)
        _one_of("films", self.films, (ANY, ALL))
        _one_of("among", self.among, (ARCHIVE, REMAINING))
        tests = (self.filter or None, self.time, self.similar, self.cluster, self.ids)
        if sum(test is not None for test in tests) != 1:
            raise invalid("a criterion has one test: filter, time, similar, cluster or ids")
        _title("a criterion's name", self.name)


@dataclass(frozen=True, kw_only=True)
class Cap(Part):
    """At most so many films (or whole studies) of each patient, or films of each study."""

    per: str
    most: int
    which: str = FIRST
    studies: bool = False

    def __post_init__(self) -> None:
        _one_of("per", self.per, (PATIENT, STUDY))
        _one_of("which", self.which, (FIRST, LAST, RANDOM))
        if self.most < 1:
            raise invalid("most is 1 or more")
        if self.studies and self.per != PATIENT:
            raise invalid("whole studies are counted per patient")


@dataclass(frozen=True, kw_only=True)
class Quota(Part):
    filter: str
    size: int

    def __post_init__(self) -> None:
        self._set(filter=_filter(self.filter))
        if self.size < 1 or not self.filter:
            raise invalid("a quota is a filter and a size of at least 1")


@dataclass(frozen=True, kw_only=True)
class Target(Part):
    """Shares of a variable's values; they add up to 1."""

    variable: str
    shares: dict[str, float]

    def __post_init__(self) -> None:
        self._set(variable=variables.check(self.variable), shares=_shares("shares", self.shares))


@dataclass(frozen=True, kw_only=True)
class Sample(Part):
    how: str = RANDOM
    size: int = 0
    by: tuple[str, ...] = ()
    allocation: str = PROPORTIONAL
    quotas: tuple[Quota, ...] = ()
    targets: tuple[Target, ...] = ()
    like: str = ""

    def __post_init__(self) -> None:
        self._set(by=_variables(self.by), like=_filter(self.like))
        _one_of("how", self.how, (RANDOM, STRATIFIED, QUOTAS, TARGET))
        _one_of("allocation", self.allocation, (PROPORTIONAL, EQUAL))
        if (self.how == QUOTAS) != bool(self.quotas):
            raise invalid("quotas are filters with sizes, and go with how: quotas")
        if self.size < 0 or (self.how in (RANDOM, STRATIFIED) and not self.size):
            raise invalid("size is how many units to draw, 1 or more")
        if self.how == QUOTAS and self.size:
            raise invalid("quotas have sizes of their own; leave size out")
        if self.how == STRATIFIED and not self.by:
            raise invalid("name the variables whose combinations are the strata: by")
        if self.how == TARGET and bool(self.targets) == bool(self.like and self.by):
            raise invalid("a target is either targets, or like (a filter) with by (variables)")
        if self.how != TARGET and (self.targets or self.like):
            raise invalid("targets and like go with how: target")


@dataclass(frozen=True, kw_only=True)
class Match(Part):
    """Cases with controls, both of what criteria and caps leave. caliper: below 0 for none."""

    cases: str
    controls: str = ""
    exact: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()
    propensity: tuple[str, ...] = ()
    caliper: float = _CALIPER
    within: dict[str, float] = field(default_factory=dict)
    ratio: str = "1:1"

    def __post_init__(self) -> None:
        self._set(
            cases=_filter(self.cases), controls=_filter(self.controls), exact=_variables(self.exact),
            nearest=_variables(self.nearest, numbers=True), propensity=_variables(self.propensity, numbers=True),
            caliper=self.caliper or _CALIPER,
        )  # fmt: skip
        if not self.cases:
            raise invalid("name the films that are cases by a filter")
        if not (self.exact or self.nearest or self.propensity):
            raise invalid("name what to match on: exact, nearest or propensity")
        if self.nearest and self.propensity:
            raise invalid("the nearest control is so by nearest or by propensity; name one of them")
        if not set(self.within) <= set(variables.NUMBERS) or not all(far >= 0 for far in self.within.values()):
            raise invalid(f"within bounds the distance of numbers: {', '.join(variables.NUMBERS)}")
        _ = self.cases_to_controls

    @property
    def cases_to_controls(self) -> tuple[int, int]:
        """The ratio as numbers. Raises INVALID_ARGUMENT."""
        cases, _, controls = self.ratio.partition(":")
        if not (cases.isdecimal() and controls.isdecimal() and 0 < int(cases) <= 20 and 0 < int(controls) <= 20):
            raise invalid("ratio is cases:controls, each from 1 to 20, as in 1:2")
        return int(cases), int(controls)


@dataclass(frozen=True, kw_only=True)
class Split(Part):
    fractions: dict[str, float]
    stratify: tuple[str, ...] = ()
    near_duplicates: bool = False
    model: str = ""
    same: float = 0.0

    def __post_init__(self) -> None:
        self._set(fractions=_shares("fractions", self.fractions), stratify=_variables(self.stratify))
        if not 0 <= self.same <= 2:
            raise invalid("same is a cosine distance, from 0 (the model's own) to 2")


@dataclass(frozen=True, kw_only=True)
class Table(Part):
    variables: tuple[str, ...]
    by: str = ""

    def __post_init__(self) -> None:
        self._set(variables=_variables(self.variables, numbers=True))
        if not self.variables:
            raise invalid("name the variables that the table describes")
        if self.by not in ("", GROUP, SPLIT):
            self._set(by=variables.check(self.by))


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
        _title("title", self.title)
        for name in (self.name, self.rerun_of):
            if name:
                sets.name(name)
        _one_of("unit", self.unit, UNITS)
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


def _filter(text: str) -> str:
    """As canonical text."""
    if len(text) > MAX_FILTER_CHARS:
        raise invalid(f"a filter is at most {MAX_FILTER_CHARS} characters; keep films as a set, and name it")
    return filters.describe(filters.parse(text))


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise invalid(f"{name} is {', '.join(known[:-1])} or {known[-1]}")


def _title(what: str, text: str) -> None:
    if len(text) > 200 or not text.isprintable():
        raise invalid(f"{what} is one line of at most 200 characters")


def _ids(given: tuple[str, ...], most: int) -> tuple[str, ...]:
    if len(given) > most:
        raise invalid(f"name at most {most:,} films here; keep them as a set (`hilum sets create --ids`), and name it")
    return tuple(sorted({parse_image_id(image_id) for image_id in given}))


def _variables(given: tuple[str, ...], numbers: bool = False) -> tuple[str, ...]:
    """Names in full; with `numbers`, age too, which is else told apart by bands."""
    if len(given) > MOST_VARIABLES:
        raise invalid(f"name at most {MOST_VARIABLES} variables")
    return tuple(dict.fromkeys(name if numbers and name == "age" else variables.check(name) for name in given))


def _shares(what: str, given: dict[str, float]) -> dict[str, float]:
    if not 2 <= len(given) <= 1_000 or any(not 0 <= share <= 1 for share in given.values()):
        raise invalid(f"{what} has between 2 and 1,000 shares, each from 0 to 1")
    if abs(sum(given.values()) - 1) > _TOTAL:
        raise invalid(f"{what} must add up to 1")
    return dict(given)
