"""The ways to learn a map, behind one function of arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.analytics.align.adversarial import adversarial
from services.analytics.align.contrastive import contrastive
from services.analytics.align.maps import Array, Map, frame, rotation
from services.analytics.align.ridge import ridge
from services.core.errors import invalid

METHODS: Mapping[str, str] = {
    "procrustes": "orthogonal map of centred vectors (embedding alignment)",
    "ridge": "ridge regression of report vectors on film vectors",
    "contrastive": "two linear heads learned with InfoNCE",
    "adversarial": "no pairs: adversarial rotation, refined on mutual neighbours",
}
UNPAIRED = frozenset({"adversarial"})
LEAST = 10  # pairs that any other method needs


def fit(
    method: str, images: Array, texts: Array, pairs: NDArray[np.int64] | None = None,
    patients: NDArray[np.integer] | None = None, seed: int = 0,
) -> Map:  # fmt: skip
    """Learn a map from film vectors to report vectors.

    images: (N, P), texts: (M, Q), unit length: all that may be seen of either side, paired or not; means and axes are
    theirs.  pairs: (n, 2), row of images and row of texts.  patients: (n,) of the pairs, who are never on both sides of
    an inner split; each pair its own when None.  The same arguments learn the same map.

    Raises INVALID_ARGUMENT for an unknown method, or fewer than `LEAST` pairs for one that needs them.
    """
    if method not in METHODS:
        raise invalid(f"method is one of: {', '.join(METHODS)}")
    if method in UNPAIRED:
        return adversarial(images, texts, seed)
    if pairs is None or len(pairs) < LEAST:
        raise invalid(f"{method} needs {LEAST} pairs of a film and its report; adversarial alone needs none")
    people = np.arange(len(pairs)) if patients is None else patients
    if method == "procrustes":
        return procrustes(images, texts, pairs)
    return (ridge if method == "ridge" else contrastive)(images, texts, pairs, people, seed)


def procrustes(images: Array, texts: Array, pairs: NDArray[np.int64]) -> Map:
    """The rotation between both sides' axes of most variance, as many as the smaller space has."""
    dim = min(images.shape[1], texts.shape[1])
    of_images, of_texts = frame(images, dim), frame(texts, dim)
    turn = rotation(of_images(images[pairs[:, 0]]), of_texts(texts[pairs[:, 1]]))
    return Map("procrustes", of_images.then(turn), of_texts.then(np.eye(dim)), {"axes": dim})
