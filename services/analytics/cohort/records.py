"""Cohorts as they are kept: with their sets, and, while there are any, in the folders of their runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from services.analytics import manifest, seen
from services.analytics.cohort.spec import Spec
from services.core.access import Access
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, runs, sets
from services.core.facts.sets import FilmSet

_PAGE = 100


@dataclass(frozen=True)
class Record:
    """A cohort's set, and the folder where its run is, or was: it is gone when a film of it was forgotten."""

    set: FilmSet
    runs: Path

    @property
    def run_id(self) -> str:
        return str(self.set.about.get("run_id", ""))

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Of the run; empty where it is gone."""
        try:
            return manifest.read_json(manifest.folder(self.runs, self.run_id) / "manifest.json")
        except HilumError:
            return {}

    @property
    def there(self) -> bool:
        """Is the run there?"""
        try:
            return bool(manifest.folder(self.runs, self.run_id))
        except HilumError:
            return False

    @cached_property
    def told(self) -> dict[str, Any]:
        """What the run said of the cohort: as the set keeps it, or the manifest where the specification is long."""
        about = dict(self.set.about)
        known = {} if about.get("spec") is not None else self.manifest.get("cohort", {})
        return {**about, **known}

    def spec(self) -> Spec:
        """Raises FAILED_PRECONDITION where nobody knows it any more."""
        told = self.told.get("spec")
        if not told:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                "its specification went with its run, as a film of it was forgotten; build it from your own copy",
            )
        return Spec.parse(told)


def find(facts: Facts, folder: Path, name: str, access: Access) -> Record:
    """A cohort by name. folder: of runs. Raises NOT_FOUND, also where a film was judged that may not be seen."""
    there = sets.listed(facts, sets.COHORT, begins=name, size=1)
    found = _record(folder, there[0]) if name and there and there[0].set_id == name else None
    if found is None or not _sees(access, found):
        raise HilumError(ErrorCode.NOT_FOUND, "no such cohort; `hilum cohort list` shows those there are")
    return found


def listed(facts: Facts, folder: Path, after: str, size: int, access: Access) -> list[Record]:
    """Cohorts by name, behind `after`."""
    found: list[Record] = []
    while len(found) < size:
        page = sets.listed(facts, sets.COHORT, after, _PAGE)
        for one in page:
            record = _record(folder, one)
            if record is not None and _sees(access, record):
                found.append(record)
        if len(page) < _PAGE:
            break
        after = page[-1].set_id
    return found[:size]


def rerun(facts: Facts, name: str, access: Access) -> str:
    """The latest finished run of a cohort's specification over a later archive. Raises FAILED_PRECONDITION."""
    for run in _finished(facts):
        cohort = run.manifest.get("cohort")
        spec = cohort.get("spec") if isinstance(cohort, dict) else None
        if isinstance(spec, dict) and spec.get("rerun_of") == name and seen.sees(access, run.manifest):
            return run.run_id
    raise HilumError(
        ErrorCode.FAILED_PRECONDITION,
        "there is nothing to hold it against: run it again first (hilum cohort rerun NAME), or name another cohort",
    )


def _finished(facts: Facts) -> Iterator[runs.Run]:
    before = ""
    while page := runs.recent(facts, before, _PAGE):
        yield from (run for run in page if run.state == "succeeded" and run.manifest.get("kind") == "cohort")
        before = f"{page[-1].created_at}/{page[-1].run_id}"


def _record(folder: Path, one: FilmSet) -> Record | None:
    """None for a set of films that no specification made."""
    return Record(one, folder) if "spec_sha256" in one.about else None


def _sees(access: Access, record: Record) -> bool:
    """Attrition counts every film that was judged; once the run is gone, nobody knows which they were."""
    return access.datasets is None or (bool(record.manifest) and seen.sees(access, record.manifest))
