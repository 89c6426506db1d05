"""What is asked of a description of an archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics import variables
from services.analytics.asked import Asked

IDS = ("patient_id", "study_id", "series_id", "accession_id")


@dataclass(frozen=True, kw_only=True)
class EdaAsked(Asked):
    """no_sides: leave side tables out."""

    kind: ClassVar[str] = "eda"
    graph: ClassVar[bool] = False
    every_model: ClassVar[bool] = False
    fields: ClassVar[tuple[str, ...]] = (*variables.FIELDS, *IDS)

    no_sides: bool = False
