"""What sources say of the same film: how often they contradict each other, and whose labels are doubted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from services.analytics.estimate import Estimate
from services.analytics.resample import means
from services.core.labels import LabelState
from services.core.types import ImageRecord

SILENT = -1
_CODE = {LabelState.ABSENT: 0, LabelState.PRESENT: 1, LabelState.UNCERTAIN: 2}


@dataclass(frozen=True)
class Parting:
    """Two sources on one finding. films: of which both say present or absent.  apart: share of them on which they
    contradict each other.  kappa: Cohen's; NaN where one of them says one thing only."""

    finding: str
    one: str
    other: str
    films: int
    apart: Estimate
    kappa: float


def said(records: Sequence[ImageRecord], finding: str) -> dict[str, NDArray[np.int8]]:
    """source → (N,) 0 absent, 1 present, 2 uncertain, −1 silent."""
    found: dict[str, NDArray[np.int8]] = {}
    for row, record in enumerate(records):
        for label in record.labels:
            if label.name == finding and label.state in _CODE:
                codes = found.setdefault(label.source, np.full(len(records), SILENT, dtype=np.int8))
                codes[row] = _CODE[label.state]
    return dict(sorted(found.items()))


def partings(finding: str, by: dict[str, NDArray[np.int8]], patients: NDArray[np.int32], seed: int) -> list[Parting]:
    """Every two sources that speak of the same films."""
    made = []
    for one, other in combinations(by, 2):
        rows = np.flatnonzero(np.isin(by[one], (0, 1)) & np.isin(by[other], (0, 1)))
        if not len(rows):
            continue
        a, b = by[one][rows], by[other][rows]
        share = means((a != b)[:, None].astype(np.float64), patients[rows], seed)[0]
        made.append(Parting(finding, one, other, len(rows), share, kappa(a, b)))
    return made


def kappa(a: NDArray[np.int8], b: NDArray[np.int8]) -> float:
    """Agreement beyond chance: Cohen 1960."""
    seen, chance = (a == b).mean(), a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float((seen - chance) / (1 - chance)) if chance < 1 else float("nan")
