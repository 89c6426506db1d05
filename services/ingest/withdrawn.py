"""Withdrawn consent outlasts what it removed: a film that comes again is known by keyed hashes, which hold no id.

A patient is known by the archive's name for them, be it a pseudonym or a kept id, and by the pseudonym of that name, so
that it does not matter in which of the two ways a dataset is ingested the next time; a film by its id and its pixels,
so that it does not matter whether a table still names its patient.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from services.core.facts import Facts, forgotten
from services.core.ids import pseudonym
from services.core.types import ImageRecord


def digest(secret: bytes, kind: str, dataset: str, value: str) -> str:
    """64 hex digits. `kind` is patient, film or pixels."""
    return hmac.new(secret, f"forgotten\0{kind}\0{dataset}\0{value}".encode(), hashlib.sha256).hexdigest()


def names_of(secret: bytes, dataset: str, patient: str) -> set[str]:
    """How the archive may name a patient whom somebody calls `patient`: so, or by the pseudonym of that."""
    return {patient, pseudonym(secret, "patient", dataset, patient)}


def among(facts: Facts, secret: bytes, films: Sequence[ImageRecord]) -> set[str]:
    """Ids of those of `films` that may not be taken."""
    marks = {record.image_id: _marks(secret, record) for record in films}
    known = forgotten.withdrawn(facts, set().union(*marks.values()))
    return {image_id for image_id, mine in marks.items() if mine & known}


def _marks(secret: bytes, record: ImageRecord) -> set[str]:
    named = names_of(secret, record.dataset, record.patient_id) if record.patient_id else set()
    pixels = {record.pixel_sha256} - {""}  # blank for a film of which only a vector is here
    return {
        *(digest(secret, "patient", record.dataset, name) for name in named),
        digest(secret, "film", record.dataset, record.image_id),
        *(digest(secret, "pixels", record.dataset, each) for each in pixels),
    }
