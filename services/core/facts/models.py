"""The encoders an archive knows, and which fingerprint answers for each name."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select, update

from services.core.errors import ErrorCode, HilumError
from services.core.facts.db import Facts, now
from services.core.facts.images import insert
from services.core.facts.schema import models
from services.core.models import ModelSpec
from services.core.spelling import meant

# Built once: every answer to a search reads it.
_ACTIVE = select(models.c.name, models.c.spec).where(models.c.active).order_by(models.c.created_at, models.c.name)


def register(facts: Facts, spec: ModelSpec) -> None:
    """Make `spec` known and let it answer for its name."""
    with facts.write() as db:
        others = (models.c.name == spec.name) & (models.c.fingerprint != spec.fingerprint)
        db.execute(update(models).where(others).values(active=False))
        upsert = insert(facts, models).on_conflict_do_update(index_elements=["fingerprint"], set_={"active": True})
        db.execute(upsert, [_row(spec, active=True)])


def note(facts: Facts, spec: ModelSpec) -> None:
    """Make `spec` known; it answers for its name only if nobody does yet."""
    with facts.write() as db:
        taken = db.scalar(select(models.c.name).where(models.c.name == spec.name, models.c.active).limit(1))
        db.execute(insert(facts, models).on_conflict_do_nothing(), [_row(spec, active=taken is None)])


def fingerprints(facts: Facts, name: str) -> list[ModelSpec]:
    """Every spec that has ever been known by `name`, oldest first."""
    query = select(models.c.spec).where(models.c.name == name).order_by(models.c.created_at, models.c.fingerprint)
    with facts.read() as db:
        return [ModelSpec(**spec) for spec in db.scalars(query)]


def every(facts: Facts) -> list[ModelSpec]:
    """Every spec that has ever been known."""
    with facts.read() as db:
        return [ModelSpec(**spec) for spec in db.scalars(select(models.c.spec).order_by(models.c.fingerprint))]


def active(facts: Facts) -> dict[str, ModelSpec]:
    """Name → the spec that answers for it, in the order they came."""
    with facts.read() as db:
        return {name: ModelSpec(**spec) for name, spec in db.execute(_ACTIVE)}


def named(facts: Facts, name: str) -> ModelSpec:
    """The spec that answers for `name`. Raises UNKNOWN_MODEL naming those there are, and the one that was meant."""
    known = active(facts)
    if name not in known:
        there = ", ".join(known) or "none yet: ingest films first"
        hint = meant(name, known) or ";"
        raise HilumError(ErrorCode.UNKNOWN_MODEL, f"no such model in this archive{hint} there are: {there}")
    return known[name]


def _row(spec: ModelSpec, active: bool) -> dict[str, object]:
    return {
        "fingerprint": spec.fingerprint, "name": spec.name, "collection": spec.collection, "spec": asdict(spec),
        "active": active, "created_at": now(),
    }  # fmt: skip
