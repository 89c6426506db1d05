"""A small encoder that really encodes: pictures and words land in one space by a fixed random projection.

It sees where a picture is bright. Words name places (left, right, upper, lower, centre) and are encoded as the picture
they describe, so "bright left" is near a film whose left half is bright. No torch, no files, the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from services.core.types import Film

SIDE = 16
_HALF = SIDE // 2
_PLACES = {
    "left": np.s_[:, :_HALF],
    "right": np.s_[:, _HALF:],
    "upper": np.s_[:_HALF, :],
    "lower": np.s_[_HALF:, :],
    "centre": np.s_[4:12, 4:12],
}


class PlacesEncoder:
    """Random projection of a 16 × 16 picture. Another `seed` is another fingerprint; `text` gives it a text tower."""

    def __init__(self, name: str = "tiny", dim: int = 32, seed: int = 0, text: bool = True) -> None:
        self._matrix = np.random.default_rng(seed).standard_normal((SIDE * SIDE, dim)).astype(np.float32)
        self._spec = ModelSpec(
            name=name,
            revision=str(seed),
            weights_sha256=hashlib.sha256(self._matrix.tobytes()).hexdigest(),
            preprocessing=f"box-{SIDE}-grey",
            pooling="projection",
            dim=dim,
            text_space="places" if text else None,
        )

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def preprocess(self, film: Film) -> NDArray[np.float32]:
        """Film → (3, 16, 16) float32 in 0..1."""
        small = Image.fromarray(film.display).resize((SIDE, SIDE), Image.Resampling.BOX)
        return np.broadcast_to(np.asarray(small, dtype=np.float32) / 255, (3, SIDE, SIDE)).copy()

    def encode_images(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 3, 16, 16) float32 → (N, D) float32, L2-normalised."""
        flat = np.asarray(batch).mean(axis=1).reshape(len(batch), -1)
        centred = flat - flat.mean(axis=1, keepdims=True) + 1e-3  # a uniform picture has a direction, too
        vectors = centred @ self._matrix
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts → (N, D) float32, L2-normalised. Raises FAILED_PRECONDITION without a text tower."""
        if self._spec.text_space is None:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{self._spec.name} has no text tower")
        return self.encode_images(np.stack([_described(text) for text in texts]))


def _described(text: str) -> NDArray[np.float32]:
    """The picture that words describe; words that name no place change it a little, always alike."""
    picture = np.zeros((SIDE, SIDE), dtype=np.float32)
    for word in text.lower().split():
        if word in _PLACES:
            picture[_PLACES[word]] += 1
        else:
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
            picture += 0.02 * np.random.default_rng(seed).random((SIDE, SIDE), dtype=np.float32)
    return np.broadcast_to(picture, (3, SIDE, SIDE)).copy()
