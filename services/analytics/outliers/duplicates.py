"""Films that are nearly the same to a model, from the run's graph, and whose they are.

A copy under another patient's name leaks between a training and a test split, and counts twice everywhere. Which
distance means "the same" depends on the model: unless one is asked for, it is a twentieth of the median distance
between a film and the nearest film of another patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.graph import Graph
from services.core.types import ImageRecord

ONE_PATIENT, LEAK, DATASETS, UNKNOWN = "one patient", "two patients", "two datasets", "patient unknown"
_SHARE = 1 / 20


@dataclass(frozen=True)
class Twins:
    """Two films (rows, the first the smaller) and their distance."""

    one: int
    other: int
    distance: float


def bound(others: Graph, asked: float) -> float:
    """The distance below which films are nearly the same."""
    return asked or float(np.median(others.distances[:, 0])) * _SHARE


def twins(pool: Graph, most: float) -> list[Twins]:
    """Pairs of neighbours at most so far apart, the nearest first. Of more copies than the graph has neighbours, each
    is in a pair with some of the others."""
    row, place = np.nonzero(pool.distances <= most)
    near = pool.ids[row, place]
    pairs = np.stack([np.minimum(row, near), np.maximum(row, near)], axis=1)
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    distance = pool.distances[row, place][first]
    order = np.lexsort((pairs[:, 1], pairs[:, 0], distance))
    return [Twins(int(pairs[n, 0]), int(pairs[n, 1]), float(distance[n])) for n in order]


def relation(one: ImageRecord, other: ImageRecord) -> str:
    """Whose the two are."""
    if not one.patient_id or not other.patient_id:
        return UNKNOWN
    if one.dataset != other.dataset:
        return DATASETS
    return ONE_PATIENT if one.patient_id == other.patient_id else LEAK


def splits(one: ImageRecord, other: ImageRecord) -> str:
    """Which splits they are in, where those differ."""
    return f"{one.split} and {other.split}" if one.split and other.split and one.split != other.split else ""


@dataclass(frozen=True)
class Double:
    """Two patients (numbers of this run) with several films nearly the same. shared: films of the one with fewer films
    that have a twin in the other; of: all it has."""

    one: int
    other: int
    shared: int
    of: int


def doubles(found: Sequence[Twins], patients: NDArray[np.int32], least: int = 2) -> list[Double]:
    """Patients who share at least so many films, those who share most first: one person under two names."""
    sizes = np.bincount(patients)
    shared: dict[tuple[int, int], tuple[set[int], set[int]]] = {}
    for pair in found:
        a, b = sorted((pair.one, pair.other), key=lambda row: int(patients[row]))
        if patients[a] != patients[b]:
            mine, theirs = shared.setdefault((int(patients[a]), int(patients[b])), (set(), set()))
            mine.add(a)
            theirs.add(b)
    made = []
    for (one, other), (mine, theirs) in shared.items():
        smaller, films = (one, mine) if sizes[one] <= sizes[other] else (other, theirs)
        if min(len(mine), len(theirs)) >= least:
            made.append(Double(one, other, len(films), int(sizes[smaller])))
    return sorted(made, key=lambda d: (-d.shared, d.one, d.other))
