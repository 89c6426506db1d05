"""Regression of report vectors on film vectors, both centred, with a penalty that held-out patients choose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.analytics.align.maps import Array, Map, unit
from services.core.affine import Affine

PENALTIES = tuple(float(value) for value in np.logspace(-4, 2, 13))  # times the mean variance × n of a direction
FOLDS = 5
_MOST = 5_000  # pairs on which the penalty is chosen


def ridge(images: Array, texts: Array, pairs: NDArray[np.int64], patients: NDArray[np.integer], seed: int) -> Map:
    """W = (XᵀX + αI)⁻¹ XᵀY. α is the one under which left-out patients' films find their reports, and reports their
    films, at the best mean reciprocal rank."""
    mean_x, mean_y = images.mean(0, dtype=np.float64), texts.mean(0, dtype=np.float64)
    x, y = images[pairs[:, 0]] - mean_x, texts[pairs[:, 1]] - mean_y
    chosen = np.random.default_rng(seed).permutation(len(x))[:_MOST]
    penalty = _choose(x[chosen], y[chosen], patients[chosen], seed)
    weight = _solve(x, y, [penalty])[0]
    return Map(
        "ridge",
        Affine(weight.astype(np.float32), (-mean_x @ weight).astype(np.float32)),
        Affine(np.eye(texts.shape[1], dtype=np.float32), -mean_y.astype(np.float32)),
        {"penalty": penalty},
    )


def folds(patients: NDArray[np.integer], count: int, seed: int) -> NDArray[np.int64]:
    """Which of `count` folds each pair is in: all pairs of a patient in the same."""
    people, place = np.unique(patients, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(people)) % count)[place]


def reciprocal_rank(images: Array, texts: Array) -> float:
    """Mean over both directions; row i of one belongs to row i of the other. Rows of length 1."""
    scores = images @ texts.T
    right = np.diag(scores)
    ranks = [(scores > right[:, None]).sum(1) + 1, (scores > right[None]).sum(0) + 1]
    return float(np.mean([np.mean(1 / rank) for rank in ranks]))


def _choose(x: Array, y: Array, patients: NDArray[np.integer], seed: int) -> float:
    fold = folds(patients, FOLDS, seed)
    found = np.zeros(len(PENALTIES))
    for held in range(FOLDS):
        out = fold == held
        if out.any() and not out.all():
            wanted = unit(y[out])
            for place, weight in enumerate(_solve(x[~out], y[~out], PENALTIES)):
                found[place] += reciprocal_rank(unit(x[out] @ weight), wanted) * out.sum()
    return PENALTIES[int(found.argmax())] if found.any() else 1.0


def _solve(x: Array, y: Array, penalties: list[float] | tuple[float, ...]) -> list[NDArray[np.float64]]:
    """(P, Q) for each penalty, from one decomposition; penalties in units of the mean eigenvalue of XᵀX."""
    values, vectors = np.linalg.eigh(x.T @ x)
    values = np.maximum(values, 0)
    scale = max(float(values.mean()), 1e-12)
    target = vectors.T @ (x.T @ y)
    return [vectors @ (target / (values + penalty * scale)[:, None]) for penalty in penalties]
