"""Linear centred kernel alignment: are two spaces one space, turned and scaled?

CKA = HSIC(K, L) / √(HSIC(K, K) · HSIC(L, L)) with K = X Xᵀ, L = Y Yᵀ: Kornblith et al. 2019. In its feature form no
N × N matrix is made: HSIC(K, L) ∝ ‖Xcᵀ Yc‖². That estimate is too high when vectors are long and films few; the
debiased one puts the unbiased HSIC of Song et al. 2012 in its place, which is 0 in the mean of unrelated spaces.

Everything is a sum over films, so that leaving out a group of patients takes their part from the sums.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from services.analytics import jackknife
from services.analytics.estimate import Estimate

_BLOCK = 8_192
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Over films: n; cross Σ x yᵀ (Dx, Dy); x, y Σ x, Σ y; xx, yy Σ ‖x‖², Σ ‖y‖²; xx_y Σ ‖x‖² y, yy_x Σ ‖y‖² x;
    xx_yy Σ ‖x‖² ‖y‖²."""

    n: Floats
    cross: Floats
    x: Floats
    y: Floats
    xx: Floats
    yy: Floats
    xx_y: Floats
    yy_x: Floats
    xx_yy: Floats

    def over(self, other: Sums, sign: int) -> Sums:
        """Films of both, or with sign −1 without the other's."""
        return Sums(**{f.name: getattr(self, f.name) + sign * getattr(other, f.name) for f in fields(Sums)})


def sums(x: NDArray[np.floating], y: NDArray[np.floating]) -> Sums:
    """Of the films in the rows of x (n, Dx) and y (n, Dy)."""
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    xx, yy = (a * a).sum(axis=1), (b * b).sum(axis=1)
    count = np.asarray(float(len(a)))
    return Sums(count, a.T @ b, a.sum(axis=0), b.sum(axis=0), xx.sum(), yy.sum(), xx @ b, yy @ a, xx @ yy)


def hsic(s: Sums) -> tuple[float, float]:
    """The biased and the unbiased estimate, each but for a factor that CKA divides out.

    The unbiased is tr(K̃ L̃) + 1ᵀK̃1 · 1ᵀL̃1 / ((n−1)(n−2)) − 2/(n−2) · 1ᵀK̃L̃1, K̃ being K with nothing on its diagonal.
    """
    n = float(s.n)
    biased = float(((s.cross - np.outer(s.x, s.y) / n) ** 2).sum())
    trace = float((s.cross**2).sum() - s.xx_yy)
    totals = float((s.x @ s.x - s.xx) * (s.y @ s.y - s.yy))
    rows = float(s.x @ s.cross @ s.y - s.xx_y @ s.y - s.yy_x @ s.x + s.xx_yy)
    return biased, trace + totals / ((n - 1) * (n - 2)) - 2 / (n - 2) * rows


class Alignment:
    """CKA of models on the same films. Their middles are taken away first, so that sums lose no digits."""

    def __init__(self, patients: NDArray[np.int32], seed: int) -> None:
        self._group = jackknife.groups(patients, seed)
        self._own: dict[str, NDArray[np.float64]] = {}

    def own(self, name: str, x: NDArray[np.float32]) -> None:
        """Take in a model's own HSIC; once, before it is compared."""
        self._own[name] = self._all(x, x)

    def between(
        self, one: str, x: NDArray[np.float32], other: str, y: NDArray[np.float32]
    ) -> tuple[Estimate, Estimate]:
        """CKA and debiased CKA of the models' vectors (N, D), with intervals by patients."""
        with np.errstate(invalid="ignore", divide="ignore"):
            value = self._all(x, y) / np.sqrt(self._own[one] * self._own[other])
        return jackknife.estimate(value[0, 0], value[1:, 0]), jackknife.estimate(value[0, 1], value[1:, 1])

    def _all(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
        """(1 + G, 2) both estimates of all films, then without each group."""
        middle_x, middle_y = x.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
        parts = []
        for group in range(int(self._group.max()) + 1):
            rows = np.flatnonzero(self._group == group)
            blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
            part = sums(x[blocks[0]] - middle_x, y[blocks[0]] - middle_y)
            for block in blocks[1:]:
                part = part.over(sums(x[block] - middle_x, y[block] - middle_y), 1)
            parts.append(part)
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.over(part, 1)
        return np.array([hsic(whole), *(hsic(whole.over(part, -1)) for part in parts)])
