"""What is asked of a description of an archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.asked import Asked

# Of the record, in the order of the report.
TEXT = (
    "dataset", "split", "modality", "view", "view_source", "orientation", "body_part", "sex", "race", "ethnicity",
    "age_binned", "institution", "manufacturer", "device", "photometric", "burned_in", "date_kind", "licence",
)  # fmt: skip
NUMBERS = ("age", "study_order", "rows", "columns", "bits_stored", "pixel_spacing")
DATES = ("study_date",)
IDS = ("patient_id", "study_id", "series_id", "accession_id")


@dataclass(frozen=True, kw_only=True)
class EdaAsked(Asked):
    """no_sides: leave side tables out."""

    kind: ClassVar[str] = "eda"
    graph: ClassVar[bool] = False
    every_model: ClassVar[bool] = False
    fields: ClassVar[tuple[str, ...]] = (*TEXT, *NUMBERS, *DATES, *IDS)

    no_sides: bool = False
