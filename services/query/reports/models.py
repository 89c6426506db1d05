"""Which model answers for the meaning of reports."""

from __future__ import annotations

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.core.store.reports import meaning
from services.query.by import StoredFilm
from services.query.reports.asked import ReportQuery
from services.transport.encode_client import EncodeClient

NOT_INDEXED = "run `hilum reports index`, or ingest films with their reports"


def reader(facts: Facts, store: VectorStore, encode: EncodeClient, query: ReportQuery) -> ModelSpec | None:
    """The model named, or the first that reads text, holds the film asked with, has reports and is at hand.

    None where none is named and none can. Raises UNKNOWN_MODEL, and FAILED_PRECONDITION for a named one that cannot.
    """
    if query.model:
        spec = models.named(facts, query.model)
        if not spec.text_space:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{spec.name} reads no text; name a model that does")
        if not store.count_reports(meaning(spec)):
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"no reports are indexed for {spec.name}; {NOT_INDEXED}")
        return spec
    able = [spec for spec in models.active(facts).values() if spec.text_space]
    if isinstance(query.by, StoredFilm):
        held = images.ledger(facts, [query.by.image_id]).get(query.by.image_id, set())
        able = [spec for spec in able if spec.fingerprint in held]
    able = [spec for spec in sorted(able, key=lambda spec: spec.slices) if store.count_reports(meaning(spec))]
    if not isinstance(query.by, StoredFilm):
        at_hand = {model.fingerprint for model in encode.models() if model.available}
        able = [spec for spec in able if spec.fingerprint in at_hand]
    return able[0] if able else None
