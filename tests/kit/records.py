"""Films, encoder specs and vectors made up for a test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.facts.images import Stored
from services.core.ids import image_id
from services.core.labels import Label, LabelState
from services.core.models import ModelSpec
from services.core.types import ImageRecord


def make_record(
    key: str = "film-1", dataset: str = "demo", labels: Mapping[str, str] | Sequence[Label] = (), **fields: Any
) -> ImageRecord:
    """A film of `dataset`; `labels` is finding → state from the source ``table``, or Labels. Other fields: unknown."""
    digest = hashlib.sha256(f"{dataset}/{key}".encode()).hexdigest()
    if isinstance(labels, Mapping):
        labels = [Label(name, LabelState(state)) for name, state in labels.items()]
    defaults = {"rows": 512, "columns": 512, "bytes_sha256": digest, "pixel_sha256": digest, "phash": digest[:16]}
    return ImageRecord(image_id(dataset, key), dataset, labels=tuple(labels), **{**defaults, **fields})


def make_spec(name: str = "tiny", dim: int = 8, **fields: Any) -> ModelSpec:
    """An encoder's specification; any field can be given."""
    defaults = {"revision": "1", "weights_sha256": "0" * 64, "preprocessing": "none", "pooling": "mean"}
    return ModelSpec(name=name, dim=dim, **{**defaults, **fields})


def unit_vectors(count: int, dim: int = 8, seed: int = 0) -> NDArray[np.float32]:
    """(count, dim) float32, L2-normalised, the same for the same seed."""
    vectors = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def stored(record: ImageRecord, specs: Sequence[ModelSpec] = ()) -> Stored:
    """`record` as `facts.images.commit` takes it, held by `specs`."""
    return Stored(record, thumbnail="0" * 64, fingerprints=tuple(spec.fingerprint for spec in specs))
