"""What is asked of a cohort: its specification. The request's own filter is whose films may be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from services.analytics import variables
from services.analytics.asked import Asked
from services.analytics.cohort import calendar, conditions, similar
from services.analytics.cohort.spec import RANDOM, Likeness, Spec
from services.core import filters
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, sets
from services.core.facts import models as known_models
from services.core.models import ModelSpec

_OF = {variables.AGE_BAND: "age", variables.YEAR: "study_date"}


@dataclass(frozen=True, kw_only=True)
class CohortAsked(Asked):
    """spec: of the cohort. Models are those that its criteria name."""

    kind: ClassVar[str] = "cohort"
    together: ClassVar[bool] = False
    graph: ClassVar[bool] = False
    every_model: ClassVar[bool] = False

    spec: Spec = field(default_factory=Spec)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sample_size or self.models or self.labels:
            raise invalid("a cohort's specification says its models and its sample; leave those of the request out")
        if self.seed and self.seed != self.spec.seed:
            raise invalid("the seed of a cohort is in its specification; leave that of the request out")
        object.__setattr__(self, "seed", self.spec.seed)

    @classmethod
    def parse(cls, asked: Mapping[str, Any]) -> Self:
        try:
            where, seed = str(asked.get("filter") or ""), int(asked.get("seed") or 0)
            size, models = int(asked.get("sample_size") or 0), tuple(map(str, asked.get("models") or ()))
        except (TypeError, ValueError):
            raise invalid("this is no analysis request; see its fields in the contract") from None
        spec = Spec.parse(asked.get(cls.kind) or {})
        return cls(spec=spec, filter=where, seed=seed, sample_size=size, models=models)

    def as_json(self) -> dict[str, Any]:
        return {"filter": self.filter, "seed": self.seed, self.kind: self.spec.as_json()}

    def check(self, facts: Facts) -> list[ModelSpec]:
        for text in (self.filter, *self.spec.filters):
            filters.check(filters.parse(text), facts)
        spec = frozen(self.spec, facts)
        names = [one.similar.model for one in spec.criteria if one.similar]
        if spec.split and spec.split.near_duplicates:
            names.append(spec.split.model)
        about = taken(facts, self.spec.name) if self.spec.name else None
        if about is not None and about.get("spec_sha256") != spec.sha256:  # else this very job may have made it
            raise there_is()
        return [known_models.named(facts, name) for name in dict.fromkeys(names)]

    def enough(self, films: int) -> None:
        """Any number: what there is too little of, the flow says."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the record, that the specification speaks of."""
        spec = self.spec
        found = ["study_id", *conditions.fields(spec.filters)]
        if any(one.time for one in spec.criteria) or any(cap.which != RANDOM for cap in spec.caps):
            found += calendar.FIELDS
        if spec.split:
            from services.analytics.cohort.describing import SPLIT_FIELDS  # heavy: asked for by the child alone

            found += SPLIT_FIELDS
        for name in spec.variables:
            found += [] if name.startswith("labels.") else [_OF.get(name, name)]
        return tuple(dict.fromkeys(found))


def taken(facts: Facts, name: str) -> Mapping[str, object] | None:
    """What is known of the set of films of this name, None where there is none."""
    found = sets.listed(facts, begins=name, size=1)
    return found[0].about if found and found[0].set_id == name else None


def there_is() -> HilumError:
    return HilumError(
        ErrorCode.ALREADY_EXISTS,
        "there is a cohort of this name; delete it first (hilum cohort delete NAME), or choose another name",
    )


def frozen(spec: Spec, facts: Facts) -> Spec:
    """The specification that needs nothing that may change: with the questions of saved searches, and models by name.

    Raises NOT_FOUND, UNKNOWN_MODEL, FAILED_PRECONDITION.
    """
    criteria = tuple(
        replace(one, similar=_settled(one.similar, facts)) if one.similar else one for one in spec.criteria
    )
    split = spec.split
    if split and split.near_duplicates and not split.model:
        split = replace(split, model=similar.only_model("", facts).name)
    return replace(spec, criteria=criteria, split=split)


def _settled(one: Likeness, facts: Facts) -> Likeness:
    near = similar.resolved(one, facts)
    return replace(near, model=similar.only_model(near.model, facts).name)
