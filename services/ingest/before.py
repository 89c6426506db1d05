"""What earlier jobs on the same DICOMweb server leave for the next: what was refused, how far its changes were read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from services.core.facts import Facts, jobs
from services.core.types import Job, JobItem, JobState, Outcome
from services.ingest.reasons import Reason

_PAGE = 1_000
_LOOK_BACK = 200  # jobs of this kind
# What another try may change; everything else lies in the film, which the same bytes cannot mend.
_PASSING = {
    Reason.NOT_FETCHED, Reason.GONE, Reason.WITHHELD, Reason.ENCODER_FAILED, Reason.NON_FINITE_VECTOR,
    Reason.DECODER_CRASHED, Reason.DECODER_TIMEOUT, Reason.OUT_OF_MEMORY, Reason.CONSENT_WITHDRAWN,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Before:
    """refused: ref → why, of films that are not worth fetching again.  cursor: how far the feed of changes was read by
    a job that left nothing open, with `models` (name → fingerprint); blank when there was none."""

    refused: dict[str, Reason] = field(default_factory=dict)
    cursor: str = ""
    models: dict[str, Any] = field(default_factory=dict)


def left(facts: Facts, like: Callable[[Job], bool], tables: bool) -> Before:
    """What succeeded jobs that are `like` the one at hand have left.  tables: it has tables, which may speak of films
    that are no news."""
    done = (job for job in jobs.recent(facts, "ingest", size=_LOOK_BACK) if job.state is JobState.SUCCEEDED)
    former = [job for job in done if like(job)]
    items = _refused(facts, former[0].job_id) if former else ()
    refused = {item.ref: reason for item in items if (reason := _lasting(item))}
    for job in former:
        if job.result.get("cursor") and not tables:
            models = job.result.get("models")
            return Before(refused, str(job.result["cursor"]), models if isinstance(models, dict) else {})
    return Before(refused)


def nothing_open(facts: Facts, job_id: str) -> bool:
    """Does the job leave no film that another try may take?"""
    return all(_lasting(item) for item in _refused(facts, job_id))


def _lasting(item: JobItem) -> Reason | None:
    try:
        reason = Reason(item.reason)
    except ValueError:  # of another version
        return None
    return None if reason in _PASSING else reason


def _refused(facts: Facts, job_id: str) -> Iterator[JobItem]:
    after = ""
    while page := jobs.items(facts, job_id, Outcome.QUARANTINED.value, after, _PAGE):
        yield from page
        after = page[-1].ref
