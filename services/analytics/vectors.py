"""Read a model's vectors of the sample once, into a file of the run that every stage maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.analytics.progress import Progress
from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from services.core.store import VectorStore

_CHUNK = 10_000


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
