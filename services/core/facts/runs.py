"""Analytics runs: what was asked, where it stands, what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, or_, select

from services.core.errors import ErrorCode, HilumError
from services.core.facts.db import Facts, now
from services.core.facts.images import insert
from services.core.facts.schema import runs


@dataclass(frozen=True, slots=True)
class Run:
    """One analysis. `manifest` is enough to run it again; `metrics` are its figures by model."""

    run_id: str
    job_id: str | None
    state: str
    manifest: dict[str, object]
    metrics: dict[str, object]
    created_at: str


def save(
    facts: Facts, run_id: str, job_id: str, state: str, manifest: Mapping[str, object], metrics: Mapping[str, object]
) -> None:
    """Create a run or bring it up to date."""
    row = {"run_id": run_id, "job_id": job_id, "state": state, "manifest": dict(manifest), "metrics": dict(metrics)}
    upsert = insert(facts, runs)
    upsert = upsert.on_conflict_do_update(
        index_elements=["run_id"], set_={name: upsert.excluded[name] for name in ("state", "manifest", "metrics")}
    )
    with facts.write() as db:
        db.execute(upsert, [{**row, "created_at": now()}])


def get(facts: Facts, run_id: str) -> Run:
    """One run. Raises NOT_FOUND."""
    with facts.read() as db:
        row = db.execute(select(runs).where(runs.c.run_id == run_id)).mappings().first()
    if row is None:
        raise HilumError(ErrorCode.NOT_FOUND, "no such run; `hilum analyze list` shows those there are")
    return Run(**row)


def recent(facts: Facts, before: str = "", size: int = 50) -> list[Run]:
    """Runs, newest first; `before` is the ``created_at/run_id`` of the last one seen."""
    query = select(runs).order_by(runs.c.created_at.desc(), runs.c.run_id.desc()).limit(size)
    if before:
        stamp, _, last = before.partition("/")
        query = query.where(or_(runs.c.created_at < stamp, and_(runs.c.created_at == stamp, runs.c.run_id < last)))
    with facts.read() as db:
        return [Run(**row) for row in db.execute(query).mappings()]
