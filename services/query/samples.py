"""A few hundred films of each model, kept for a while: what any film has, and how far cosines spread."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from services.core.facts import Facts
from services.core.facts.schema import embeddings
from services.core.models import ModelSpec
from services.core.store import VectorStore

_FILMS = 256
FEWEST = 16  # with fewer, what any film has would be what these have
_KEPT_SECONDS = 600.0  # a mean of so many films hardly changes
_NARROWEST = 1e-3  # a spread below this is no spread: films all alike


@dataclass(frozen=True, slots=True)
class Sample:
    """vectors: (N, D) float32, of unit length; of several tokens their mean.  film: spec.shape, the mean film as is."""

    vectors: NDArray[np.float32]
    film: NDArray[np.float32]

    def mean(self) -> NDArray[np.float32]:
        """(D,) float32, not of unit length."""
        return self.vectors.mean(0)

    def spread(self, vector: NDArray[np.float32]) -> float:
        """Standard deviation of the cosines of these films with a (D,) vector; 1 where there are too few films."""
        if len(self.vectors) < FEWEST:
            return 1.0
        return max(float((self.vectors @ unit(vector)).std()), _NARROWEST)


class Samples:
    """Safe to share between threads."""

    def __init__(self, facts: Facts, store: VectorStore) -> None:
        self._facts, self._store = facts, store
        self._kept: dict[str, tuple[Sample, float]] = {}
        self._lock = threading.Lock()

    def of(self, spec: ModelSpec) -> Sample:
        """Films that the model holds. Ids are hashes, so the first are any."""
        with self._lock:
            kept = self._kept.get(spec.fingerprint)
        if kept is None or kept[1] < time.monotonic():
            held = select(embeddings.c.image_id).where(embeddings.c.fingerprint == spec.fingerprint)
            with self._facts.read() as db:
                ids = list(db.scalars(held.order_by(embeddings.c.image_id).limit(_FILMS)))
            _, vectors = self._store.vectors(spec, ids=ids)
            film = vectors.mean(0) if len(vectors) else np.zeros(spec.shape, np.float32)
            kept = (Sample(flat(vectors), film), time.monotonic() + _KEPT_SECONDS)
            with self._lock:
                self._kept[spec.fingerprint] = kept
        return kept[0]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(…, D) to unit length; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), dtype=np.float32)


def flat(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) or (N, T, D) → (N, D) of unit length."""
    found = unit(vectors)
    return unit(found.mean(1)) if found.ndim == 3 else found
