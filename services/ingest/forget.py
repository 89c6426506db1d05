"""Withdrawn consent: every trace of a patient out of the archive, shown to be gone, and kept from coming back.

The tombstone comes first: whatever happens then, no ingest takes the patient's films again, and the same call again
goes on where this one stopped.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, forgotten, removal
from services.core.filters import all_of, equals, one_of, to_qdrant
from services.core.logs import get_logger
from services.core.store import VectorStore
from services.core.types import JobProgress
from services.ingest.claim import claimed
from services.ingest.removal import Removal, Trace
from services.ingest.withdrawn import digest, names_of

log = get_logger("ingest")
_PATIENCE = 60.0  # seconds that an ingest of the dataset is waited for


@dataclass(frozen=True, slots=True)
class Forgotten:
    """complete: a second look found nothing left.  films: that were stored.  traces: place → what there was."""

    complete: bool
    films: int
    traces: dict[str, Trace]


def forget(
    settings: Settings, facts: Facts, store: VectorStore, blobs: Blobs, secret: bytes,
    dataset: str, patients: Collection[str],
) -> Iterator[JobProgress | Forgotten]:  # fmt: skip
    """Forget `patients` of `dataset`, each by the archive's name for them or by their original id.

    Raises FAILED_PRECONDITION while work on the films does not end.
    """
    if not dataset or not patients or not all(patients):
        raise invalid("name the dataset and the patient")
    names = set().union(*(names_of(secret, dataset, patient) for patient in patients))
    forgotten.remember(facts, {digest(secret, "patient", dataset, name) for name in names})
    yield JobProgress("waiting for ingests")
    deadline = time.monotonic() + _PATIENCE
    with claimed(facts, settings.data_dir, dataset, lambda: time.monotonic() > deadline) as held:
        if not held:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                "an ingest of this dataset is running; it takes no film of the patient any more. Cancel it or wait, "
                "then give the same command again",
            )
        films = {film.image_id: film for film in removal.films_of(facts, dataset, names)}
        marks = {digest(secret, "film", dataset, film) for film in films}
        marks |= {digest(secret, "pixels", dataset, film.pixel_sha256) for film in films.values() if film.pixel_sha256}
        forgotten.remember(facts, marks)
        where = to_qdrant(all_of(equals("dataset", dataset), one_of("patient_id", sorted(names))))
        work = Removal(settings, facts, store, blobs, dataset, films, where, names)
        yield from work.run()
        log.info("patient.forgotten", dataset=dataset, count=len(films), state="complete" if work.complete else "left")
        yield Forgotten(work.complete, len(films), work.traces)
