"""Labelled pairs: films and what a search shows for them, or words and films."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.calibration.fit import Pairs
from services.analytics.graph import Graph
from services.analytics.sample import Sample

NEAR = 30  # films shown for each that asks
FARTHER = 30  # films drawn for each, whatever their score: how often *any* film shares the finding
NOVEL = 0.01  # of films have no film as near as that; a film that asks and has none nearer is unlike all of them
MIN_VIEW = 50  # films of a view that ask, for a curve of its own


@dataclass(frozen=True)
class Labelled:
    """What is known of N films. has, known: (N, L) of L findings.  view: N strings, empty unknown."""

    findings: list[str]
    has: NDArray[np.bool_]
    known: NDArray[np.bool_]
    view: NDArray[np.str_]
    patients: NDArray[np.int32]

    @classmethod
    def of(cls, films: Sample, rows: NDArray[np.int64], findings: list[str]) -> Labelled:
        codes = np.stack([films.labels[name][rows] for name in findings], axis=1)
        view = np.array([films.view[row] for row in rows], dtype=str)
        return cls(findings, codes == 1, (codes == 0) | (codes == 1), view, films.patients[rows])


def by_films(films: Labelled, near: Graph, seed: int) -> Iterator[tuple[str, str, Pairs]]:
    """(finding, view, pairs) for any finding and each, in any view of the film that asks and in each."""
    count, shown = near.ids.shape
    asks = np.repeat(np.arange(count), shown)
    found, score = near.ids.ravel().astype(np.int64), 1.0 - near.distances.ravel().astype(np.float64)
    random = np.random.default_rng(seed)
    asks_any, any_film = np.repeat(np.arange(count), FARTHER), random.integers(0, count, size=count * FARTHER)
    others = films.patients[asks_any] != films.patients[any_film]
    asks_any, any_film = asks_any[others], any_film[others]
    for number in (None, *range(len(films.findings))):
        of = slice(None) if number is None else slice(number, number + 1)
        name = "" if number is None else films.findings[number]
        judged, shares = _shares(films, asks, found, of)
        judged_any, shares_any = _shares(films, asks_any, any_film, of)
        for view in ("", *sorted(set(films.view) - {""})):
            of_view = films.view == view if view else np.ones(count, dtype=bool)
            if view and (of_view.all() or (of_view & films.has[:, of].any(axis=1)).sum() < MIN_VIEW):
                continue
            mine, mine_any = judged & of_view[asks], judged_any & of_view[asks_any]
            if mine.any() and mine_any.any():
                people = films.patients[asks[mine]], films.patients[found[mine]]
                best = 1.0 - near.distances[of_view & films.has[:, of].any(axis=1), 0]
                base, usual = float(shares_any[mine_any].mean()), float(np.quantile(best, NOVEL))
                yield name, view, Pairs(score[mine], shares[mine], *people, base, usual)


def by_words(films: Labelled, score: NDArray[np.float32], finding: int) -> Pairs:
    """Of one finding's words, whose cosine with each film is `score`, (N,)."""
    known = films.known[:, finding]
    people, has = films.patients[known], films.has[known, finding]
    return Pairs(score[known].astype(np.float64), has, people, people, float(has.mean()) if len(has) else 0.0)


def _shares(
    films: Labelled, one: NDArray[np.int64], other: NDArray[np.int64], of: slice
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pairs can be judged (something of what the first has is known of the second), and which share it."""
    has = films.has[one, of]
    return (has & films.known[other, of]).any(axis=1), (has & films.has[other, of]).any(axis=1)
