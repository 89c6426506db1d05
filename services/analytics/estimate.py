"""A figure with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Estimate:
    """value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, draws: ArrayLike) -> Estimate:
        """By the percentiles of bootstrap `draws` (B,); NaN draws, of samples with nothing to measure, are left out."""
        drawn = np.asarray(draws, dtype=np.float64)
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.percentile(drawn, (2.5, 97.5)) if len(drawn) else (np.nan, np.nan)
        return cls(float(value), float(low), float(high))

    @property
    def known(self) -> bool:
        return bool(np.isfinite([self.value, self.low, self.high]).all())

    def as_json(self) -> dict[str, float | None]:
        return {name: _plain(getattr(self, name)) for name in ("value", "low", "high")}

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]" if self.known else "–"


def _plain(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
