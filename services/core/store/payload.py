"""What a point carries beside its vectors: just what filters need, from the canonical record."""

from __future__ import annotations

from qdrant_client import models

from services.core.labels import merge
from services.core.types import ImageRecord

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
}


def payload(record: ImageRecord) -> dict[str, object]:
    """Record → payload. What is unknown is left out; ``pixels`` lets a resumed ingest see that a vector is current."""
    carried: dict[str, object] = {
        name: value for name in INDEXES if (value := getattr(record, name)) is not None and value != ""
    }
    carried["labels"] = {name: state.value for name, state in merge(list(record.labels)).items()}
    carried["pixels"] = record.pixel_sha256
    return carried
