"""An archive with a known structure: films of a few kinds, whose vectors lie around one direction for each kind."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from services.core.blobs import Blobs
from services.core.facts import Facts, images, models
from services.core.facts.images import Stored
from services.core.models import ModelSpec
from services.core.store import VectorStore, payload
from services.core.types import ImageRecord
from tests.kit.records import make_record

KINDS = 4


def kind_of(number: int) -> int:
    """Film → its kind."""
    return number % KINDS


def vectors(films: int, dim: int, noise: float, seed: int = 0) -> NDArray[np.float32]:
    """(films, dim) float32, L2-normalised, around one random direction for each kind."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((KINDS, dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    found = centres[[kind_of(n) for n in range(films)]] + noise * random.standard_normal((films, dim)) / np.sqrt(dim)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def record(number: int) -> ImageRecord:
    """Two films a patient (of one kind), edema in kinds 0 and 1, effusion in kind 2; every seventh film is silent."""
    labels: dict[str, str] = {}
    if number % 7:
        labels["edema"] = "present" if kind_of(number) < 2 else "absent"
        labels["pleural_effusion"] = "present" if kind_of(number) == 2 else "absent"
    if number % 11 == 0:
        labels["pneumothorax"] = "uncertain"
    return make_record(
        f"film-{number}",
        labels=labels,
        patient_id=f"p-secret-{number // (2 * KINDS)}-{kind_of(number)}",
        study_id=f"s-secret-{number}",
        study_date="2021-03-04",
        view=("PA", "AP")[number % 2],
        sex=("F", "M", None)[number % 3],
        age=float(20 + number % 70) if number % 5 else None,
    )


def thumbnail(number: int) -> bytes:
    """A picture of a film: a bright bar whose height tells its kind."""
    picture = Image.new("L", (96, 96), 20)
    ImageDraw.Draw(picture).rectangle((30, 12 + 20 * kind_of(number), 66, 30 + 20 * kind_of(number)), fill=220)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def fill(
    facts: Facts, store: VectorStore, blobs: Blobs, specs: Sequence[ModelSpec], films: int, noise: float = 0.5
) -> list[ImageRecord]:
    """Store `films` films with every spec, as ingest does: vectors first, facts after."""
    records = [record(number) for number in range(films)]
    for seed, spec in enumerate(specs):
        store.ensure(spec)
        models.register(facts, spec)
        found = vectors(films, spec.dim, noise, seed)
        store.upsert(spec, [r.image_id for r in records], found, [payload(r) for r in records])
    marks = tuple(spec.fingerprint for spec in specs)
    images.commit(facts, [Stored(r, blobs.put(thumbnail(n)), marks) for n, r in enumerate(records)])
    return records
