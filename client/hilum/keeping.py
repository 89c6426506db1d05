"""What keeps an archive in order: duplicates, patients to be forgotten, a source held against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hilum.v1 import ingest_pb2, jobs_pb2

Seen = Callable[[jobs_pb2.JobProgress], None]  # told how far a call is


@dataclass(frozen=True, slots=True)
class Group:
    """Films that are the same: `kind` (byte, pixel, perceptual or embedding) and `distance` are of the weakest link.

    patients: ``same``; ``different``, an alarm: one film under two patients of a dataset; or ``unknown``.
    """

    kind: str
    distance: float
    patients: str
    films: tuple[ingest_pb2.DuplicateFilm, ...]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups, alarms first; iterate over it. counts: by kind, those beyond the limit included."""

    groups: tuple[Group, ...] = ()
    films: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    alarms: int = 0
    unconfirmed: int = 0
    models: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, told: Iterable[ingest_pb2.Duplicates], seen: Seen | None = None) -> Duplicates:
        groups, found = [], ingest_pb2.DuplicatesFound()
        for item in told:
            kind = item.WhichOneof("told")
            if kind == "group":
                g = item.group
                groups.append(Group(g.kind, g.distance, g.patients, tuple(g.films)))
            elif kind == "found":
                found = item.found
            elif seen is not None:
                seen(item.progress)
        used = {use.name: use.fingerprint for use in found.models}
        return cls(tuple(groups), found.films, dict(found.groups), found.alarms, found.unconfirmed, used)

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def rows(self) -> list[dict[str, Any]]:
        """One row per film of every group."""
        return [
            {
                "group": number, "patients": group.patients, "kind": film.kind, "distance": film.distance,
                "image_id": film.image_id, "dataset": film.dataset, "patient_id": film.patient_id,
                "study_id": film.study_id, "rows": film.rows, "columns": film.columns,
            }
            for number, group in enumerate(self.groups, 1)
            for film in group.films
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trace:
    """A place: what was removed from it, what a second look found left (None: nobody can look from here)."""

    place: str
    removed: int
    left: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """complete: nothing is left wherever one can look. Only then is the patient forgotten."""

    complete: bool = False
    films: int = 0
    traces: tuple[Trace, ...] = ()

    @classmethod
    def of(cls, told: Iterable[ingest_pb2.ForgetAnswer], seen: Seen | None = None) -> Forgotten:
        found = cls()
        for item in told:
            if item.WhichOneof("told") == "forgotten":
                f = item.forgotten
                traces = [Trace(t.place, t.removed, t.left if t.HasField("left") else None, t.note) for t in f.traces]
                found = cls(f.complete, f.films, tuple(traces))
            elif seen is not None:
                seen(item.progress)
        return found


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A source held against the archive. counts: films that agree, and differences by kind."""

    differences: tuple[ingest_pb2.Difference, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    removed: int = 0
    job_id: str = ""

    @classmethod
    def of(cls, told: Iterable[ingest_pb2.ReconcileAnswer], seen: Seen | None = None) -> Reconciled:
        differences, done = [], ingest_pb2.Reconciled()
        for item in told:
            kind = item.WhichOneof("told")
            if kind == "difference":
                differences.append(item.difference)
            elif kind == "reconciled":
                done = item.reconciled
            elif seen is not None:
                seen(item.progress)
        return cls(tuple(differences), dict(done.counts), done.removed, done.job_id)
