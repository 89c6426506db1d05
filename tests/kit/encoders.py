"""A tiny encoder for tests of everything around an encoder: quick, deterministic, and it counts what it encodes.

It is no model of anything: a fixed random projection of the film shrunk to 32 × 32, and of the letters of a text.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.models import ModelSpec
from services.core.types import Film
from services.encoders.registry import Registry

SIDE = 32


class TinyEncoder:
    """`tally`: a file that gets one byte per encoded film, so that a killed process' work is counted too."""

    def __init__(self, name: str = "tiny", dim: int = 16, text: bool = True, tally: Path | None = None) -> None:
        self.spec = ModelSpec(
            name=name, revision="test", weights_sha256=f"{zlib.crc32(name.encode()):064x}", preprocessing="32-box",
            pooling="projection", dim=dim, text_space=name if text else None,
        )  # fmt: skip
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        self._matrix = rng.standard_normal((SIDE * SIDE, dim)).astype(np.float32)
        self._letters = rng.standard_normal((128, dim)).astype(np.float32)
        self._tally = tally
        self.encoded = 0
        self.batches: list[int] = []

    def preprocess(self, film: Film) -> NDArray[np.float32]:
        """Film → (3, 32, 32) float32 in 0..1."""
        small = Image.fromarray(film.display).resize((SIDE, SIDE), Image.Resampling.BOX)
        return np.repeat(np.asarray(small, dtype=np.float32)[None] / 255, 3, axis=0)

    def encode_images(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 3, 32, 32) float32 → (N, D) float32, L2-normalised."""
        batch = np.asarray(batch)
        self.encoded += len(batch)
        self.batches.append(len(batch))
        if self._tally is not None:
            with self._tally.open("ab") as file:
                file.write(b"." * len(batch))
        return _normalised((batch[:, 0].reshape(len(batch), -1) - 0.4) @ self._matrix)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts → (N, D) float32, L2-normalised."""
        counts = np.zeros((len(texts), 128), dtype=np.float32)
        for row, text in enumerate(texts):
            np.add.at(counts[row], [ord(letter) % 128 for letter in text], 1)
        return _normalised(counts @ self._letters)


def tiny_registry(*encoders: TinyEncoder) -> Registry:
    """A registry of these, or of two different ones."""
    chosen = encoders or (TinyEncoder("tiny", 16), TinyEncoder("small", 24, text=False))
    return Registry({encoder.spec.name: partial(_same, encoder) for encoder in chosen})


def _same(encoder: TinyEncoder) -> TinyEncoder:
    return encoder


def _normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
