"""What is said of findings: by state, by source, where sources differ, and what comes together.

Counted over the different sets of statements that films have, each with its number of films: an archive has far fewer
of these than films. A blank is unknown; it is in no denominator.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from services.analytics.eda.fields import Sites
from services.analytics.frame import STATES, Frame

_CODE = {state.value: position for position, state in enumerate(STATES)}
PRESENT = 1


@dataclass(frozen=True)
class Findings:
    """names: F findings.  states: (D, F, 3) films absent, present, uncertain in each dataset, sources merged.
    sources: source → (F, 3).  crossed: finding, source, other source → (3, 3) films, what the one says by the other.
    both: (F, F) films in which both are present; asked: (F, F) films in which the first is present and something is
    stated of the second.  silent: (D,) films of which nothing is stated.
    """

    names: list[str]
    states: NDArray[np.int64]
    sources: dict[str, NDArray[np.int64]]
    crossed: dict[tuple[str, str, str], NDArray[np.int64]]
    both: NDArray[np.int64]
    asked: NDArray[np.int64]
    silent: NDArray[np.int64]


def findings(frame: Frame, where: Sites) -> Findings:
    """Of every finding that somebody states of one of the films."""
    numbers, of_film = frame.profiles
    sets = len(numbers)
    films = np.bincount(where.of_film * sets + of_film, minlength=len(where.names) * sets).reshape(-1, sets)
    merged = frame.merged(numbers)
    names = list(merged)
    codes = np.stack([merged[name] for name in names], axis=1) if names else np.empty((sets, 0), np.int8)
    states = np.stack([films @ (codes == code) for code in range(3)], axis=2)
    weights = films.sum(axis=0)
    present, stated = (codes == PRESENT).astype(np.float64), (codes >= 0).astype(np.float64)
    weighed = present * weights[:, None]
    sources, crossed = _by_source(frame, numbers, weights, {name: row for row, name in enumerate(names)})
    return Findings(
        names=names,
        states=states.astype(np.int64),
        sources=sources,
        crossed=crossed,
        both=np.rint(weighed.T @ present).astype(np.int64),
        asked=np.rint(weighed.T @ stated).astype(np.int64),
        silent=films[:, ~(codes >= 0).any(axis=1)].sum(axis=1),
    )


def _by_source(
    frame: Frame, numbers: list[int], weights: NDArray[np.int64], place: dict[str, int]
) -> tuple[dict[str, NDArray[np.int64]], dict[tuple[str, str, str], NDArray[np.int64]]]:
    sources: dict[str, NDArray[np.int64]] = {}
    crossed: dict[tuple[str, str, str], NDArray[np.int64]] = {}
    for number, films in zip(numbers, weights.tolist(), strict=True):
        said: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, source, state in frame.said.get(number, ()):
            said[name].append((source, _CODE[state]))
            if source not in sources:
                sources[source] = np.zeros((len(place), 3), np.int64)
            sources[source][place[name], _CODE[state]] += films
        for name, each in said.items():
            for (one, a), (other, b) in combinations(sorted(each), 2):
                if (name, one, other) not in crossed:
                    crossed[name, one, other] = np.zeros((3, 3), np.int64)
                crossed[name, one, other][a, b] += films
    return dict(sorted(sources.items())), dict(sorted(crossed.items()))


def kappa(table: NDArray[np.int64]) -> float:
    """Cohen's, unweighted, of a square table of counts; NaN where chance agrees always."""
    total = table.sum()
    seen = np.trace(table) / total
    chance = float((table.sum(axis=0) * table.sum(axis=1)).sum()) / float(total) ** 2
    return float((seen - chance) / (1 - chance)) if chance < 1 else float("nan")


def prevalence(states: NDArray[np.int64]) -> float:
    """Share present of films stated present or absent; NaN where there is none. states: (3,)."""
    decided = int(states[0] + states[1])
    return int(states[1]) / decided if decided else float("nan")
