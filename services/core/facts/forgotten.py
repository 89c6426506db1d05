"""Whose films may not come back: keyed hashes of patients and films whose consent is withdrawn, and no id."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from services.core.facts.db import Facts, now
from services.core.facts.images import insert
from services.core.facts.schema import forgotten

_CHUNK = 500


def remember(facts: Facts, digests: Collection[str]) -> None:
    """From here on these are withdrawn; saying so twice is no error."""
    stamp = now()
    with facts.write() as db:
        rows = [{"digest": digest, "created_at": stamp} for digest in sorted(digests)]
        if rows:
            db.execute(insert(facts, forgotten).on_conflict_do_nothing(), rows)


def withdrawn(facts: Facts, digests: Collection[str]) -> set[str]:
    """Those of `digests` that are."""
    asked, found = sorted(digests), set[str]()
    with facts.read() as db:
        for start in range(0, len(asked), _CHUNK):
            part = asked[start : start + _CHUNK]
            found.update(db.scalars(select(forgotten.c.digest).where(forgotten.c.digest.in_(part))))
    return found
