"""Jobs that survive a restart: submitted, taken by one owner at a time, watched, cancelled, taken up again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache

from sqlalchemy import Float, RowMapping, Select, and_, bindparam, or_, select, update

from services.core.errors import ErrorCode, HilumError
from services.core.facts.db import Facts, db_clock, now
from services.core.facts.images import insert
from services.core.facts.schema import images, job_items, jobs
from services.core.types import Job, JobItem, JobProgress, JobState, Outcome

_CHUNK = 500  # below SQLite's bound on variables in a statement
QUIET_SECONDS = 15.0  # a running job without a heartbeat for this long has lost its owner


def submit(facts: Facts, kind: str, spec: Mapping[str, object], request_id: str | None = None) -> Job:
    """Queue a job. The same `request_id` again returns the job it made the first time.

    Raises ALREADY_EXISTS when that was a job of another kind.
    """
    row = {
        "job_id": str(uuid.uuid4()), "kind": kind, "state": JobState.QUEUED.value, "request_id": request_id or None,
        "spec": dict(spec), "progress": asdict(JobProgress()), "result": {}, "cancel_requested": False,
        "created_at": now(),
    }  # fmt: skip
    with facts.write() as db:
        db.execute(insert(facts, jobs).on_conflict_do_nothing(index_elements=["request_id"]), [row])
        by = jobs.c.request_id == request_id if request_id else jobs.c.job_id == row["job_id"]
        job = _job(db.execute(select(jobs).where(by)).mappings().one())
    if job.kind != kind:
        raise HilumError(ErrorCode.ALREADY_EXISTS, "this request_id belongs to a job of another kind; use a new one")
    return job


def get(facts: Facts, job_id: str) -> Job:
    """One job. Raises NOT_FOUND."""
    with facts.read() as db:
        row = db.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().first()
    if row is None:
        raise HilumError(ErrorCode.NOT_FOUND, "no such job; `hilum jobs list` shows those there are")
    return _job(row)


def recent(facts: Facts, kind: str = "", before: str = "", size: int = 50) -> list[Job]:
    """Jobs, newest first; `before` is the ``created_at/job_id`` of the last one seen."""
    query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc()).limit(size)
    if kind:
        query = query.where(jobs.c.kind == kind)
    if before:
        stamp, _, last = before.partition("/")
        query = query.where(or_(jobs.c.created_at < stamp, and_(jobs.c.created_at == stamp, jobs.c.job_id < last)))
    with facts.read() as db:
        return [_job(row) for row in db.execute(query).mappings()]


def take(facts: Facts, kind: str, owner: str) -> Job | None:
    """Make the oldest job that waits, or whose owner has gone quiet, this owner's. None when there is none."""
    oldest, asked = _oldest(facts.shared), {"kind": kind, "quiet": QUIET_SECONDS, "now": time.time()}
    with facts.read() as db:  # idle workers ask many times a second: they take no lock for nothing
        if db.scalar(oldest, asked) is None:
            return None
    with facts.write() as db:
        job_id = db.scalar(oldest.with_for_update(skip_locked=True) if facts.shared else oldest, asked)
        if job_id is None:
            return None
        started = jobs.c.started_at
        row = db.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().one()
        values = {"state": JobState.RUNNING.value, "owner": owner, "heartbeat": facts.clock()}
        db.execute(update(jobs).where(jobs.c.job_id == job_id).values(**values, started_at=row[started] or now()))
        return _job(db.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().one())


@cache
def _oldest(shared: bool) -> Select[tuple[str]]:
    """The job to be taken next, by the database's own clock where machines share it, else by ``now``."""
    clock = db_clock() if shared else bindparam("now", type_=Float)
    quiet = and_(jobs.c.state == JobState.RUNNING.value, jobs.c.heartbeat < clock - bindparam("quiet", type_=Float))
    waiting = or_(jobs.c.state == JobState.QUEUED.value, quiet)
    query = select(jobs.c.job_id).where(jobs.c.kind == bindparam("kind"), waiting)
    return query.order_by(jobs.c.created_at, jobs.c.job_id).limit(1)


def beat(facts: Facts, job_id: str, owner: str, progress: JobProgress) -> bool:
    """Report progress and life. False when the job should stop: it was cancelled or belongs to somebody else by now."""
    mine = and_(jobs.c.job_id == job_id, jobs.c.owner == owner, jobs.c.state == JobState.RUNNING.value)
    with facts.write() as db:
        done = db.execute(update(jobs).where(mine).values(progress=asdict(progress), heartbeat=facts.clock()))
        if done.rowcount == 0:
            return False
        return not db.scalar(select(jobs.c.cancel_requested).where(jobs.c.job_id == job_id))


def release(facts: Facts, owner: str) -> None:
    """Give back what `owner` was at, so that the next start takes it up at once (an orderly stop)."""
    mine = and_(jobs.c.owner == owner, jobs.c.state == JobState.RUNNING.value)
    with facts.write() as db:
        db.execute(update(jobs).where(mine).values(state=JobState.QUEUED.value, owner=None, heartbeat=None))


def orphans(facts: Facts) -> None:
    """Queue every running job again. Only for a start that knows that no other process can be at work on this data."""
    with facts.write() as db:
        running = jobs.c.state == JobState.RUNNING.value
        db.execute(update(jobs).where(running).values(state=JobState.QUEUED.value, owner=None, heartbeat=None))


def finish(
    facts: Facts, job_id: str, owner: str, state: JobState, result: Mapping[str, object], error: str | None = None
) -> None:
    """Close a job. `error` is a client-safe message. Does nothing when the job is not this owner's any more."""
    mine = and_(jobs.c.job_id == job_id, jobs.c.owner == owner, jobs.c.state == JobState.RUNNING.value)
    with facts.write() as db:
        db.execute(
            update(jobs).where(mine).values(state=state.value, result=dict(result), error=error, finished_at=now())
        )


def cancel(facts: Facts, job_id: str) -> Job:
    """Ask a job to stop: at once when it still waits, else at its next heartbeat. A finished job stays as it is."""
    this = jobs.c.job_id == job_id
    with facts.write() as db:
        db.execute(update(jobs).where(this).values(cancel_requested=True))
        waits = and_(this, jobs.c.state == JobState.QUEUED.value)
        db.execute(update(jobs).where(waits).values(state=JobState.CANCELLED.value, finished_at=now()))
    return get(facts, job_id)


def record_items(facts: Facts, job_id: str, items: Sequence[JobItem]) -> None:
    """Write what became of files; the same file again replaces what was said of it."""
    if not items:
        return
    upsert = insert(facts, job_items)
    names = ["outcome", "image_id", "reason", "message"]
    upsert = upsert.on_conflict_do_update(
        index_elements=["job_id", "ref"], set_={name: upsert.excluded[name] for name in names}
    )
    with facts.write() as db:
        db.execute(upsert, [{"job_id": job_id, **asdict(item), "outcome": item.outcome.value} for item in items])


def items(facts: Facts, job_id: str, outcome: str = "", after: str = "", size: int = 100) -> list[JobItem]:
    """What became of files, in the order of their refs, behind `after`."""
    query = select(job_items).where(job_items.c.job_id == job_id, job_items.c.ref > after)
    if outcome:
        query = query.where(job_items.c.outcome == outcome)
    with facts.read() as db:
        return [
            JobItem(row.ref, Outcome(row.outcome), row.image_id, row.reason, row.message)
            for row in db.execute(query.order_by(job_items.c.ref).limit(size))
        ]


def decided(facts: Facts, job_id: str, refs: Sequence[str]) -> dict[str, Outcome]:
    """ref → what became of it, for those of `refs` that the job has decided."""
    found: dict[str, Outcome] = {}
    with facts.read() as db:
        for start in range(0, len(refs), _CHUNK):
            these = job_items.c.ref.in_(refs[start : start + _CHUNK])
            query = select(job_items.c.ref, job_items.c.outcome).where(job_items.c.job_id == job_id, these)
            found.update((ref, Outcome(outcome)) for ref, outcome in db.execute(query))
    return found


def noted(facts: Facts, dataset: str, refs: Sequence[str]) -> dict[str, str]:
    """ref → the stored film of `dataset` that some job has made of this file, where there is one."""
    query = select(job_items.c.ref, job_items.c.image_id).join(images, images.c.image_id == job_items.c.image_id)
    with facts.read() as db:
        return dict(db.execute(query.where(job_items.c.ref.in_(refs), images.c.dataset == dataset)).tuples().all())


def _job(row: RowMapping) -> Job:
    return Job(
        job_id=row["job_id"], kind=row["kind"], state=JobState(row["state"]), spec=row["spec"],
        progress=JobProgress(**row["progress"]), result=row["result"], error=row["error"],
        created_at=row["created_at"], started_at=row["started_at"], finished_at=row["finished_at"],
    )  # fmt: skip
