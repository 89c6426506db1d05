"""Can a run be made at all? Asked before a job is submitted, and again when it starts. Imports nothing heavy."""

from __future__ import annotations

from services.analytics import sample
from services.analytics.spec import RunSpec
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images
from services.core.facts import models as known_models
from services.core.models import ModelSpec


def check(facts: Facts, asked: RunSpec) -> list[ModelSpec]:
    """The models' specs, when this run can be made. Raises UNKNOWN_MODEL, INVALID_FILTER, INVALID_ARGUMENT,
    FAILED_PRECONDITION."""
    specs = [known_models.named(facts, name) for name in asked.models]
    strange = set(asked.labels) - images.stated_findings(facts)
    if strange:
        raise HilumError(
            ErrorCode.INVALID_ARGUMENT,
            f"no film states {len(strange)} of these labels; leave labels empty to measure those that are stated",
        )
    enough(sample.count(facts, asked.filter, specs), asked)
    return specs


def enough(films: int, asked: RunSpec) -> None:
    """Raises FAILED_PRECONDITION when so few films make no graph of k neighbours."""
    films = min(films, asked.sample_size or films)
    if films < asked.k + 2:
        which = "every one of these models holds" if len(asked.models) > 1 else "this model holds"
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"{films} films match that {which}; a graph of k={asked.k} needs {asked.k + 2}: widen the filter,"
            " ingest more films or lower k",
        )
