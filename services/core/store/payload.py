"""What a point carries beside its vectors: just what filters need, from the canonical record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qdrant_client import models

from services.core.labels import Label, merge, settle, source_key
from services.core.types import ImageRecord

FORM = 2  # of what a point carries: points of an older form are brought up to date by `core.sets.renew`

# Field → index kind. Labels are nested: ``labels.<finding>`` holds present, absent or uncertain; unknown is no key.
INDEXES: dict[str, models.PayloadSchemaType] = {
    "dataset": models.PayloadSchemaType.KEYWORD,
    "patient_id": models.PayloadSchemaType.KEYWORD,
    "study_id": models.PayloadSchemaType.KEYWORD,
    "view": models.PayloadSchemaType.KEYWORD,
    "sex": models.PayloadSchemaType.KEYWORD,
    "modality": models.PayloadSchemaType.KEYWORD,
    "age": models.PayloadSchemaType.FLOAT,
    "study_date": models.PayloadSchemaType.DATETIME,
    "split": models.PayloadSchemaType.KEYWORD,
    "orientation": models.PayloadSchemaType.KEYWORD,
    "manufacturer": models.PayloadSchemaType.KEYWORD,
    "device": models.PayloadSchemaType.KEYWORD,
    "institution": models.PayloadSchemaType.KEYWORD,
    "race": models.PayloadSchemaType.KEYWORD,
    "ethnicity": models.PayloadSchemaType.KEYWORD,
    "study_order": models.PayloadSchemaType.FLOAT,
    "view_source": models.PayloadSchemaType.KEYWORD,
    "burned_in": models.PayloadSchemaType.KEYWORD,
    "series_id": models.PayloadSchemaType.KEYWORD,
    "accession_id": models.PayloadSchemaType.KEYWORD,
    "body_part": models.PayloadSchemaType.KEYWORD,
    "photometric": models.PayloadSchemaType.KEYWORD,
    "licence": models.PayloadSchemaType.KEYWORD,
    "date_kind": models.PayloadSchemaType.KEYWORD,
    "age_binned": models.PayloadSchemaType.KEYWORD,
    "rows": models.PayloadSchemaType.FLOAT,
    "columns": models.PayloadSchemaType.FLOAT,
    "bits_stored": models.PayloadSchemaType.FLOAT,
    "pixel_spacing": models.PayloadSchemaType.FLOAT,
}
LISTS = ("stated", "cohort", "cluster")  # of words, each with one index


def payload(record: ImageRecord, sets: Mapping[str, Sequence[str]] | None = None) -> dict[str, object]:
    """Record, and kind → names of the `sets` that its film is in → payload.

    What is unknown is left out; ``pixels`` lets a resumed ingest see that a vector is current.
    """
    carried: dict[str, object] = {
        name: ("yes" if value else "no") if isinstance(value, bool) else value
        for name in INDEXES
        if (value := getattr(record, name)) is not None and value != ""
    }
    labels = settle(record.labels)
    carried["labels"] = {name: state.value for name, state in merge(labels).items()}
    if stated := _stated(labels):
        carried["stated"] = stated
    carried |= {kind: list(names) for kind, names in (sets or {}).items() if names}
    carried["pixels"] = record.pixel_sha256
    carried["form"] = FORM
    return carried


def _stated(labels: Sequence[Label]) -> list[str]:
    """``finding.source=state`` for every source: one index serves them all, however many there are."""
    said: dict[str, list[Label]] = {}
    for label in labels:
        said.setdefault(source_key(label.source), []).append(label)
    merged = [(source, name, state) for source in sorted(said) for name, state in sorted(merge(said[source]).items())]
    return [f"{name}.{source}={state.value}" for source, name, state in merged]
