"""A text space of a collection's own words: TF-IDF of words and pairs of words, on the axes of most of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError

Array = NDArray[np.float32]


def terms_of(text: str) -> Counter[str]:
    """Words and pairs of neighbouring words: ``no effusion`` is something else than ``effusion``."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return Counter([*words, *(f"{a} {b}" for a, b in pairwise(words))])


@dataclass(frozen=True)
class Tfidf:
    """terms: V words and pairs.  idf: (V,) float32.  axes: (V, Q) float32.  Raises FAILED_PRECONDITION."""

    terms: tuple[str, ...]
    idf: Array
    axes: Array
    _place: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fits = self.idf.shape == (len(self.terms),) and self.axes.ndim == 2 and len(self.axes) == len(self.terms)
        if not fits or not (np.isfinite(self.idf).all() and np.isfinite(self.axes).all()):
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "this space of words is damaged; learn or add it again")
        object.__setattr__(self, "_place", {term: place for place, term in enumerate(self.terms)})

    def vectors(self, texts: Sequence[str]) -> Array:
        """N texts → (N, Q) float32, L2-normalised; zeros for a text of which no word is known."""
        return np.stack([self._vector(text) for text in texts]) if texts else np.empty((0, self.axes.shape[1]), "f4")

    def _vector(self, text: str) -> Array:
        known = [(self._place[term], count) for term, count in terms_of(text).items() if term in self._place]
        if not known:
            return np.zeros(self.axes.shape[1], np.float32)
        rows, counts = (np.array(column) for column in zip(*known, strict=True))
        found = (self.idf[rows] * (1 + np.log(counts))) @ self.axes[rows]
        vector: Array = (found / max(float(np.linalg.norm(found)), 1e-12)).astype(np.float32)
        return vector
