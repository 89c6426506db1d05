"""Which state of the archive a cohort was chosen from: enough to see that it was another one, cheaply."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from services.analytics.cohort.population import Counts, content
from services.core.facts import Facts
from services.core.facts.schema import embeddings, images
from services.core.models import ModelSpec


def state(facts: Facts) -> tuple[int, str]:
    """How many films there are, and when one was last written: what a reader compares to read again."""
    with facts.read() as db:
        count = db.scalar(select(func.count()).select_from(images))  # each by an index of its own
        latest = db.scalar(select(func.max(images.c.updated_at)))
    return int(count or 0), str(latest or "")


def written(facts: Facts, spec: ModelSpec) -> tuple[int, str]:
    """The same of a model's vectors."""
    mine = embeddings.c.fingerprint == spec.fingerprint
    with facts.read() as db:
        count, latest = db.execute(select(func.count(), func.max(embeddings.c.created_at)).where(mine)).one()
    return int(count), str(latest or "")


def told(counts: Counts, ids: list[str], latest: str) -> dict[str, Any]:
    """As manifests have it. ids: of every film that was judged, sorted."""
    return {**counts.as_json(), "latest": latest, "ids_sha256": content(ids)}
