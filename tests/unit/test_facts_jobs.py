"""The life of a job: one owner at a time, whatever dies or races."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier

import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, jobs, open_facts
from services.core.types import Job, JobItem, JobProgress, JobState, Outcome

pytestmark = pytest.mark.databases

PROGRESS = JobProgress("encode", done=3, total=9, eta_seconds=1.5, counts={"stored": 3})


def taken(facts: Facts, owner: str = "me") -> Job:
    job = jobs.take(facts, "ingest", owner)
    assert job is not None
    return job


def grow_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every heartbeat so far be too long ago."""
    monkeypatch.setattr(jobs, "QUIET_SECONDS", 0.05)
    time.sleep(0.06)


def test_a_job_from_submission_to_its_end(facts: Facts) -> None:
    job = jobs.submit(facts, "ingest", {"source": "films", "models": ["a"]})
    assert job.state is JobState.QUEUED and job.spec == {"source": "films", "models": ["a"]} and not job.started_at
    running = taken(facts)
    assert running.job_id == job.job_id and running.state is JobState.RUNNING and running.started_at
    assert jobs.beat(facts, job.job_id, "me", PROGRESS)
    assert jobs.get(facts, job.job_id).progress == PROGRESS
    jobs.finish(facts, job.job_id, "me", JobState.SUCCEEDED, {"stored": 9})
    done = jobs.get(facts, job.job_id)
    assert done.state is JobState.SUCCEEDED and done.state.final and done.result == {"stored": 9} and done.finished_at
    assert jobs.take(facts, "ingest", "me") is None
    assert not jobs.beat(facts, job.job_id, "me", PROGRESS)


def test_jobs_are_taken_oldest_first_and_by_kind(facts: Facts) -> None:
    first, second = (jobs.submit(facts, "ingest", {"n": n}) for n in range(2))
    jobs.submit(facts, "analytics", {})
    assert {taken(facts).job_id, taken(facts).job_id} == {first.job_id, second.job_id}
    assert jobs.take(facts, "ingest", "me") is None
    assert jobs.take(facts, "analytics", "me") is not None


def test_the_same_request_makes_one_job(facts: Facts) -> None:
    first = jobs.submit(facts, "ingest", {}, "r-1")
    assert jobs.submit(facts, "ingest", {"other": 1}, "r-1") == first
    assert jobs.submit(facts, "ingest", {}).job_id != jobs.submit(facts, "ingest", {}).job_id
    with pytest.raises(HilumError) as refused:
        jobs.submit(facts, "analytics", {}, "r-1")
    assert refused.value.code is ErrorCode.ALREADY_EXISTS


def test_a_job_that_waits_is_cancelled_at_once(facts: Facts) -> None:
    job = jobs.submit(facts, "ingest", {})
    assert jobs.cancel(facts, job.job_id).state is JobState.CANCELLED
    assert jobs.take(facts, "ingest", "me") is None


def test_a_job_at_work_is_told_at_its_next_heartbeat(facts: Facts) -> None:
    job = jobs.submit(facts, "ingest", {})
    taken(facts)
    assert jobs.cancel(facts, job.job_id).state is JobState.RUNNING
    assert not jobs.beat(facts, job.job_id, "me", PROGRESS)
    jobs.finish(facts, job.job_id, "me", JobState.CANCELLED, {})
    assert jobs.cancel(facts, job.job_id).state is JobState.CANCELLED


def test_a_finished_job_stays_as_it_is(facts: Facts) -> None:
    job = jobs.submit(facts, "ingest", {})
    taken(facts)
    jobs.finish(facts, job.job_id, "me", JobState.FAILED, {}, error="the disk is full; make room and submit it again")
    assert jobs.cancel(facts, job.job_id).state is JobState.FAILED
    jobs.finish(facts, job.job_id, "me", JobState.SUCCEEDED, {})
    assert jobs.get(facts, job.job_id).error == "the disk is full; make room and submit it again"
    for call in (jobs.get, jobs.cancel):
        with pytest.raises(HilumError) as refused:
            call(facts, "no-such-job")
        assert refused.value.code is ErrorCode.NOT_FOUND


def test_a_job_whose_owner_went_quiet_goes_to_another_and_the_first_cannot_touch_it(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.submit(facts, "ingest", {})
    started = taken(facts, "dead").started_at
    assert jobs.take(facts, "ingest", "heir") is None
    grow_quiet(monkeypatch)
    heir = taken(facts, "heir")
    assert (heir.job_id, heir.started_at) == (job.job_id, started)
    assert not jobs.beat(facts, job.job_id, "dead", PROGRESS)
    jobs.finish(facts, job.job_id, "dead", JobState.FAILED, {})
    assert jobs.get(facts, job.job_id).state is JobState.RUNNING
    assert jobs.beat(facts, job.job_id, "heir", PROGRESS)


def test_a_heartbeat_keeps_a_job(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    job = jobs.submit(facts, "ingest", {})
    taken(facts)
    grow_quiet(monkeypatch)
    assert jobs.beat(facts, job.job_id, "me", PROGRESS)
    monkeypatch.setattr(jobs, "QUIET_SECONDS", 5.0)
    assert jobs.take(facts, "ingest", "heir") is None


def test_an_orderly_stop_and_a_start_give_jobs_back(facts: Facts) -> None:
    jobs.submit(facts, "ingest", {})
    taken(facts)
    jobs.release(facts, "somebody else")
    assert jobs.take(facts, "ingest", "heir") is None
    jobs.release(facts, "me")
    taken(facts, "heir")
    jobs.orphans(facts)
    taken(facts, "third")


def test_a_cancelled_job_that_lost_its_owner_stops_at_its_heirs_first_heartbeat(facts: Facts) -> None:
    job = jobs.submit(facts, "ingest", {})
    taken(facts, "dead")
    jobs.cancel(facts, job.job_id)
    jobs.orphans(facts)
    taken(facts, "heir")
    assert not jobs.beat(facts, job.job_id, "heir", PROGRESS)


def test_what_became_of_files_is_kept_by_file(facts: Facts) -> None:
    job = jobs.submit(facts, "ingest", {})
    items = [JobItem(f"ref-{n}", Outcome.STORED, f"id-{n}") for n in range(5)]
    bad = JobItem("ref-3", Outcome.QUARANTINED, None, "truncated", "the file ends early; export it again")
    jobs.record_items(facts, job.job_id, items)
    jobs.record_items(facts, job.job_id, [bad])
    jobs.record_items(facts, job.job_id, [])
    assert jobs.items(facts, job.job_id, size=2) == items[:2]
    assert jobs.items(facts, job.job_id, after="ref-1") == [items[2], bad, items[4]]
    assert jobs.items(facts, job.job_id, outcome="quarantined") == [bad]
    assert jobs.items(facts, "other") == []


def test_recent_jobs_page_by_page(facts: Facts) -> None:
    made = [jobs.submit(facts, "ingest" if n % 2 else "analytics", {"n": n}) for n in range(7)]
    seen: list[Job] = []
    while page := jobs.recent(facts, before=f"{seen[-1].created_at}/{seen[-1].job_id}" if seen else "", size=3):
        seen += page
    assert sorted(job.job_id for job in seen) == sorted(job.job_id for job in made)
    assert [job.created_at for job in seen] == sorted((job.created_at for job in made), reverse=True)
    assert {job.kind for job in jobs.recent(facts, "ingest")} == {"ingest"}


def _race(url: str, owner: str, all_are_up: Barrier, won: SimpleQueue[list[str]]) -> None:
    facts = open_facts(url)
    all_are_up.wait(60)
    mine: list[str] = []
    while job := jobs.take(facts, "ingest", owner):
        mine.append(job.job_id)
        time.sleep(0.02)  # a job takes a while: without this the first one up has taken all before the others look
    won.put(mine)
    facts.close()


def test_eight_processes_race_and_each_job_has_one_winner(facts: Facts) -> None:
    made = {jobs.submit(facts, "ingest", {}).job_id for _ in range(40)}
    context = multiprocessing.get_context("spawn")
    all_are_up, won = context.Barrier(8), context.SimpleQueue()
    url = facts.engine.url.render_as_string(hide_password=False)
    racers = [context.Process(target=_race, args=(url, f"owner-{n}", all_are_up, won)) for n in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(90)
    taken_by = [won.get() for _ in racers if not won.empty()]
    assert sorted(job_id for mine in taken_by for job_id in mine) == sorted(made)
    assert sum(1 for mine in taken_by if mine) > 1, "nobody raced"
