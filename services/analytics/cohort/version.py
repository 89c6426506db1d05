"""Which state of the archive a cohort was chosen from: enough to see that it was another one, cheaply."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from services.analytics.cohort.population import Counts, content
from services.core.facts import Facts
from services.core.facts.schema import images


def state(facts: Facts) -> tuple[int, str]:
    """How many films there are, and when one was last written: what a reader compares to read again."""
    with facts.read() as db:
        count, latest = db.execute(select(func.count(), func.max(images.c.updated_at))).one()
    return int(count), str(latest or "")


def told(counts: Counts, ids: list[str], latest: str) -> dict[str, Any]:
    """As manifests have it. ids: of every film that was judged, sorted."""
    return {**counts.as_json(), "latest": latest, "ids_sha256": content(ids)}
