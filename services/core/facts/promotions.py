"""Who answered for a model's name, since when, and what was known of it then. Only ever added to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from sqlalchemy import insert, select

from services.core.facts.db import Facts, now
from services.core.facts.schema import promotions
from services.core.models import ModelSpec


@dataclass(frozen=True, slots=True)
class Promotion:
    """`fingerprint` took `name` over from `previous`. how: promoted, rollback or automatic."""

    PROMOTED: ClassVar[str] = "promoted"
    ROLLBACK: ClassVar[str] = "rollback"
    AUTOMATIC: ClassVar[str] = "automatic"

    name: str
    fingerprint: str
    previous: str
    how: str
    created_at: str
    comparison: Mapping[str, object] = field(default_factory=dict)


def add(facts: Facts, spec: ModelSpec, before: ModelSpec, how: str, comparison: Mapping[str, object]) -> Promotion:
    """Note that `spec` answers from now on."""
    made = Promotion(spec.name, spec.fingerprint, before.fingerprint, how, now(), comparison)
    row = {
        "name": made.name, "fingerprint": made.fingerprint, "previous": made.previous, "how": how,
        "created_at": made.created_at, "comparison": dict(comparison),
    }  # fmt: skip
    with facts.write() as db:
        db.execute(insert(promotions), [row])
    return made


def last(facts: Facts, fingerprint: str) -> Promotion | None:
    """The latest time that `fingerprint` was made to answer, other than by a rollback."""
    mine = (promotions.c.fingerprint == fingerprint) & (promotions.c.how != Promotion.ROLLBACK)
    found = _read(facts, select(promotions).where(mine).order_by(promotions.c.number.desc()).limit(1))
    return found[0] if found else None


def of(facts: Facts, name: str) -> list[Promotion]:
    """All that happened to a name, latest first."""
    return _read(facts, select(promotions).where(promotions.c.name == name).order_by(promotions.c.number.desc()))


def _read(facts: Facts, query: object) -> list[Promotion]:
    with facts.read() as db:
        return [
            Promotion(row.name, row.fingerprint, row.previous, row.how, row.created_at, row.comparison)
            for row in db.execute(query)  # type: ignore[call-overload]
        ]
