"""The kinds of analyses, each a package of this room. Imports nothing heavy.

To add one:

1. proto/hilum/v1/analytics.proto: a message of what it asks, as a member of ``CreateRunRequest.analysis``.
2. services/analytics/<kind>/asked.py: a subclass of `Asked` with ``kind`` (the member's name), the message's fields
   with their defaults, and checks; nothing heavy, as the service imports it.
3. services/analytics/<kind>/work.py: ``run(bench: Bench[…]) -> None``, imported in the child process alone: draw films
   and vectors from the bench, put tables and plots on a `Page`, end with ``bench.finish``.
4. a line in `KINDS`, and a command in services/app/commands/analyze/.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from services.analytics.align.asked import AlignAsked
from services.analytics.asked import MAP, Asked
from services.analytics.calibration.asked import CalibrationAsked
from services.analytics.clinical.asked import ClinicalAsked
from services.analytics.cohort.asked import CohortAsked
from services.analytics.compare.asked import CompareAsked
from services.analytics.eda.asked import EdaAsked
from services.analytics.hubs.asked import HubsAsked
from services.analytics.label_quality.asked import LabelQualityAsked
from services.analytics.map.asked import MapAsked
from services.analytics.outliers.asked import OutliersAsked
from services.analytics.probe.asked import ProbeAsked
from services.analytics.retrieval.asked import RetrievalAsked
from services.analytics.sampling.asked import SamplingAsked
from services.analytics.shift.asked import ShiftAsked
from services.analytics.structure.asked import StructureAsked
from services.core.errors import invalid

if TYPE_CHECKING:
    from services.analytics.bench import Bench

KINDS: dict[str, type[Asked]] = {
    kind.kind: kind
    for kind in (
        EdaAsked,
        SamplingAsked,
        MapAsked,
        HubsAsked,
        RetrievalAsked,
        ProbeAsked,
        CalibrationAsked,
        AlignAsked,
        StructureAsked,
        CompareAsked,
        OutliersAsked,
        LabelQualityAsked,
        ShiftAsked,
        ClinicalAsked,
        CohortAsked,
    )
}


def parse(asked: Mapping[str, Any]) -> Asked:
    """What is asked, of the kind that it names. Raises INVALID_ARGUMENT."""
    return named(asked).parse(asked)


def named(asked: Mapping[str, Any]) -> type[Asked]:
    """The kind that is asked for. Raises INVALID_ARGUMENT where there are several."""
    found = [kind for kind in KINDS if kind in asked]
    if len(found) > 1:
        raise invalid("one analysis at a time")
    return KINDS[found[0] if found else MAP]


def work(kind: str) -> Callable[[Bench[Any]], None]:
    """What does an analysis of this kind; imports what it needs."""
    run: Callable[[Bench[Any]], None] = importlib.import_module(f"services.analytics.{kind}.work").run
    return run
