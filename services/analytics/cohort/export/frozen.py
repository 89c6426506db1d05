"""What is exported: a cohort as it was frozen. Every number that an export states of it comes from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Count:
    """Of films, studies and patients."""

    images: int
    studies: int
    patients: int

    def __str__(self) -> str:
        return f"{self.images:,} films of {self.studies:,} studies of {self.patients:,} patients"


@dataclass(frozen=True)
class Step:
    """One box of the flow diagram. kind: archive, include, exclude, cap, match, sample.  alone: what a criterion would
    remove from the whole archive on its own."""

    name: str
    kind: str
    test: str
    left: Count
    removed: Count
    alone: Count | None = None


@dataclass(frozen=True)
class Model:
    """An encoder that had a part in the cohort."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class Frozen:
    """A cohort and its record.

    films: image_id in ascending order, and what the cohort says of each film (split, group, …).  tables: table1,
    balance, … with columns and rows of text, as the report has them.  draws: figures of match, target and split,
    as the manifest has them.  manifest: of the run that made it.
    """

    name: str
    title: str
    created_at: str
    run_id: str
    ids_sha256: str
    count: Count
    spec: Mapping[str, Any]
    steps: Sequence[Step]
    films: pa.Table
    manifest: Mapping[str, Any]
    models: Sequence[Model] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)
    draws: Mapping[str, Any] = field(default_factory=dict)
