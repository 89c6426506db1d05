"""Read a model's vectors of a sample once: into a file that every stage maps, and the next analysis of these films."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from services.analytics.progress import Progress
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.facts.schema import embeddings, images
from services.core.models import ModelSpec
from services.core.pulled import Key, Pulled
from services.core.store import VectorStore

_CHUNK = 10_000
_IDS = 500  # below SQLite's bound on variables in a statement


def kept(
    pulled: Pulled,
    facts: Facts,
    store: VectorStore,
    spec: ModelSpec,
    ids: Sequence[str],
    scratch: Path,
    progress: Progress,
) -> NDArray[np.float32]:
    """What `fetch` gives, from the engine only where no analysis has read the same vectors before.

    scratch: a file of the run's own, for vectors that are not kept; the caller removes it.
    """
    asked = key(facts, spec, ids)
    found = pulled.get(asked)
    if found is None:
        unit = fetch(store, spec, ids, scratch, progress)
        found = pulled.put(asked, ids, unit)
        if found is None:
            return unit
        del unit
        scratch.unlink()
    return found


def key(facts: Facts, spec: ModelSpec, ids: Sequence[str]) -> Key:
    """Names the vectors of these films by what they were made from and when they were written: one that is written
    again has another key."""
    written: dict[str, str] = {}
    query = select(images.c.image_id, images.c.pixel_sha256, embeddings.c.created_at)
    query = query.join(embeddings, embeddings.c.image_id == images.c.image_id)
    query = query.where(embeddings.c.fingerprint == spec.fingerprint)
    with facts.read() as db:
        for start in range(0, len(ids), _IDS):
            part = images.c.image_id.in_(ids[start : start + _IDS])
            written.update((image_id, "/".join(state)) for image_id, *state in db.execute(query.where(part)))
    films = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    state = hashlib.sha256("\n".join(written.get(image_id, "") for image_id in ids).encode()).hexdigest()
    return Key(spec.fingerprint, films, state)


def fetch(
    store: VectorStore, spec: ModelSpec, ids: Sequence[str], path: Path, progress: Progress
) -> NDArray[np.float32]:
    """(N, D) float32, L2-normalised, row i of film ids[i], mapped from `path`.

    Of a model of several tokens it is the mean of a film's vectors: neighbours, clusters and maps need one.

    Raises FAILED_PRECONDITION when the engine lacks a film that the facts say it holds.
    """
    stage = f"vectors of {spec.name}"
    progress(stage, 0, len(ids))
    unit = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(len(ids), spec.dim))
    chunk = max(1, _CHUNK // spec.tokens)
    for start in range(0, len(ids), chunk):
        part = list(ids[start : start + chunk])
        found, block = store.vectors(spec, ids=part)
        row = {image_id: position for position, image_id in enumerate(found)}
        missing = sum(image_id not in row for image_id in part)
        if missing:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"the vector engine lacks {missing} films that the facts list for {spec.name}; ingest them again",
            )
        block = block[[row[image_id] for image_id in part]]
        unit[start : start + len(part)] = pooled(block)
        progress(stage, start + len(part), len(ids))
    unit.flush()
    return unit


def pooled(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D), L2-normalised, of films (N, D), or (N, T, D) under a model of several tokens."""
    if block.ndim == 3:
        block = (block / np.linalg.norm(block, axis=2, keepdims=True)).mean(axis=1)
    found: NDArray[np.float32] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return found
