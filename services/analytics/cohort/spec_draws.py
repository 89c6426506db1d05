"""What a specification draws and describes: matching, samples, splits, Table 1."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.analytics import variables
from services.analytics.cohort.spec_checks import Part, canonical, named, one_of, shares_of
from services.core.errors import invalid

RANDOM, STRATIFIED, QUOTAS, TARGET = "random", "stratified", "quotas", "target"
PROPORTIONAL, EQUAL = "proportional", "equal"
GROUP, SPLIT = "group", "split"  # columns of Table 1 that no film has of itself
_CALIPER = 0.2  # of the standard deviation of the logit: Austin, Pharm Stat 2011;10:150


@dataclass(frozen=True, kw_only=True)
class Quota(Part):
    filter: str
    size: int

    def __post_init__(self) -> None:
        self._set(filter=canonical(self.filter))
        if self.size < 1 or not self.filter:
            raise invalid("a quota is a filter and a size of at least 1")


@dataclass(frozen=True, kw_only=True)
class Target(Part):
    """Shares of a variable's values; they add up to 1."""

    variable: str
    shares: dict[str, float]

    def __post_init__(self) -> None:
        self._set(variable=variables.check(self.variable), shares=shares_of("shares", self.shares))


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
        self._set(by=named(self.by), like=canonical(self.like))
        one_of("how", self.how, (RANDOM, STRATIFIED, QUOTAS, TARGET))
        one_of("allocation", self.allocation, (PROPORTIONAL, EQUAL))
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
            cases=canonical(self.cases), controls=canonical(self.controls), exact=named(self.exact),
            nearest=named(self.nearest, numbers=True), propensity=named(self.propensity, numbers=True),
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
        self._set(fractions=shares_of("fractions", self.fractions), stratify=named(self.stratify))
        if not 0 <= self.same <= 2:
            raise invalid("same is a cosine distance, from 0 (the model's own) to 2")


@dataclass(frozen=True, kw_only=True)
class Table(Part):
    variables: tuple[str, ...]
    by: str = ""

    def __post_init__(self) -> None:
        self._set(variables=named(self.variables, numbers=True))
        if not self.variables:
            raise invalid("name the variables that the table describes")
        if self.by not in ("", GROUP, SPLIT):
            self._set(by=variables.check(self.by))
