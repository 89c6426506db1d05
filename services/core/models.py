"""What an encoder is, exactly: its specification, its fingerprint, and the collection that belongs to it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import lru_cache

from services.core.errors import invalid

IMAGE_VECTOR = "image"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything that decides a vector. Two specs that differ in any field have different collections.

    name: short slug, e.g. ``rad-dino``.  revision: the source's pinned revision.  weights_sha256: of the weight files.
    preprocessing: named variant with its numbers, e.g. ``shortest-518-bicubic-crop-518-mean.5307-std.2583``.
    pooling: e.g. ``cls``.  dim: length of a vector.
    tokens: vectors per film; more than one are compared by MaxSim.  dtype: of the weights.  normalised: L2-normalised?
    text_space: name of the text tower that shares the space, or None for image-only encoders.
    """

    name: str
    revision: str
    weights_sha256: str
    preprocessing: str
    pooling: str
    dim: int
    tokens: int = 1
    dtype: str = "float32"
    normalised: bool = True
    text_space: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", self.name):
            raise invalid("a model name is a slug of a-z, 0-9 and '-', at most 63 characters")
        if not 1 <= self.dim <= 16_384:
            raise invalid("a model's dim is between 1 and 16384")
        if not 1 <= self.tokens <= 256:
            raise invalid("a model's tokens are between 1 and 256")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what a film is stored as: (D,), or (T, D) with several tokens."""
        return (self.tokens, self.dim) if self.tokens > 1 else (self.dim,)

    @property
    def slices(self) -> bool:
        """Are its vectors those of CT slices? They share neither a collection nor a question with those of films."""
        return self.preprocessing.startswith("ct-")

    @property
    def fingerprint(self) -> str:
        """sha256 over all fields, hex."""
        return _fingerprint(self)

    @property
    def collection(self) -> str:
        """``cxr.<model>.<fp8>``: vectors of two fingerprints never meet."""
        return f"cxr.{self.name}.{self.fingerprint[:8]}"

    @property
    def alias(self) -> str:
        """``cxr.<model>``: points at the collection that answers for this model name."""
        return f"cxr.{self.name}"


@lru_cache(maxsize=1024)
def _fingerprint(spec: ModelSpec) -> str:
    return hashlib.sha256(json.dumps(asdict(spec), sort_keys=True).encode()).hexdigest()
