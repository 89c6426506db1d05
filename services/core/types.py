"""The records that pass between rooms: parsed once, frozen, never half-valid."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from services.core.labels import Box, Label


@dataclass(frozen=True, slots=True)
class Film:
    """Decoded pixels of one radiograph, bone bright (MONOCHROME2), inverted exactly once.

    display: (H, W) uint8, the film as its header asks to be shown (VOI window or LUT applied), 0 black.
    full:    (H, W) uint16, modality values stretched over their full range with no window, for encoders that were
             trained without one (RAD-DINO's min–max); equals ``display × 257`` for files that are 8-bit pictures.
    """

    display: NDArray[np.uint8]
    full: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """The canonical record of a film; what is not here does not enter the archive.

    Ids of people, studies, series, accessions and institutions are pseudonyms or, where the user says a dataset is
    already de-identified, its own. None means unknown. `age` is in years (capped at 90; `age_binned`: known to a few
    years only), `study_date` ISO 8601 and as `date_kind` says: real, shifted, ordinal or offset. `study_order` counts a
    patient's studies where dates do not. `view` is PA, AP or LATERAL; `view_source` says whether it was stated or
    inferred from the picture. `orientation` is erect or supine, `split` train, validate or test. `pixel_spacing` is in
    millimetres, `burned_in` yes, no or suspected.
    """

    image_id: str
    dataset: str
    patient_id: str | None = None
    study_id: str | None = None
    view: str | None = None
    sex: str | None = None
    age: float | None = None
    study_date: str | None = None
    modality: str | None = None
    rows: int = 0
    columns: int = 0
    bytes_sha256: str = ""
    pixel_sha256: str = ""
    phash: str = ""
    licence: str | None = None
    attribution: str | None = None
    series_id: str | None = None
    accession_id: str | None = None
    split: str | None = None
    view_source: str | None = None
    orientation: str | None = None
    body_part: str | None = None
    manufacturer: str | None = None
    device: str | None = None
    institution: str | None = None
    race: str | None = None
    ethnicity: str | None = None
    age_binned: bool | None = None
    date_kind: str | None = None
    study_order: int | None = None
    bits_stored: int | None = None
    photometric: str | None = None
    pixel_spacing: float | None = None
    burned_in: str | None = None
    labels: tuple[Label, ...] = ()
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """One section of the report of a study, e.g. ``findings`` or ``impression``."""

    dataset: str
    study_id: str
    section: str
    text: str


@dataclass(frozen=True, slots=True, order=True)
class ReportKey:
    """Which section of which report."""

    dataset: str
    study_id: str
    section: str


class Outcome(StrEnum):
    """What became of one item of a job."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"  # the same key and the same pixels came twice in one job
    CONFLICT = "conflict"  # a known key with other pixels: reported, never overwritten
    QUARANTINED = "quarantined"


class JobState(StrEnum):
    """The life of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is. `counts` are outcomes or stage figures; `eta_seconds` is None while nobody can tell."""

    stage: str = ""
    done: int = 0
    total: int = 0
    eta_seconds: float | None = None
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One long piece of work. `spec` and `result` are plain JSON; times are UTC ISO 8601."""

    job_id: str
    kind: str
    state: JobState
    spec: dict[str, object]
    progress: JobProgress = JobProgress()
    result: dict[str, object] = field(default_factory=dict)
    error: str | None = None
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None


@dataclass(frozen=True, slots=True)
class JobItem:
    """What became of one file of a job. `ref` is a keyed hash of its path: names of files can name people."""

    ref: str
    outcome: Outcome
    image_id: str | None = None
    reason: str = ""
    message: str = ""
