"""What is relevant to a film that asks.

A film that nobody stated anything of is not judged: it is taken out of the answer before measuring, instead of counting
as not relevant (condensed lists: Sakai 2007).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.analytics.sample import Sample

OUT = -1.0  # the grade of a film that is not judged
ALL = "any"


@dataclass(frozen=True)
class Question:
    """One notion of relevance over N films.

    asks: (N,) films that can ask, and behind them, where words ask, too, (N + M,) those.  has, known: (N, C) what each
    film has of C classes, and where that is known.
    own: what is relevant is the patient's own other films, and everybody's films are judged.
    """

    name: str
    asks: NDArray[np.bool_]
    has: NDArray[np.float32]
    known: NDArray[np.float32]
    own: bool = False

    def grades(self, rows: NDArray[np.int64], patients: NDArray[np.int32]) -> NDArray[np.float32]:
        """(B, N) float32 for the films `rows` that ask: how many classes each film shares with it, 0 for none.

        patients: (N,) of the films, and of words behind them, which are nobody's.
        OUT where none of the asking film's classes is known, and for films that are no answer: its own patient's.
        """
        same = patients[rows][:, None] == patients[None, :]
        if self.own:
            grades = same.astype(np.float32)
            grades[np.arange(len(rows)), rows] = OUT
            return grades
        asked = self.has[rows]
        return np.where((asked @ self.known.T > 0) & ~same, asked @ self.has.T, np.float32(OUT))


@dataclass(frozen=True)
class Marked(Question):
    """What people said of pairs of films. pairs: (M, 2) film that asked, film that was marked.  given: (M,) grades."""

    pairs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    given: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def grades(self, rows: NDArray[np.int64], patients: NDArray[np.int32]) -> NDArray[np.float32]:
        """(B, N): the grades given, OUT where nobody said anything."""
        grades = np.full((len(rows), len(self.has)), OUT, dtype=np.float32)
        place = np.full(len(self.asks), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        mine = place[self.pairs[:, 0]] >= 0
        grades[place[self.pairs[mine, 0]], self.pairs[mine, 1]] = self.given[mine]
        return np.where(patients[rows][:, None] == patients[None, : len(self.has)], np.float32(OUT), grades)


def by_marks(
    films: Sample, judged: Mapping[tuple[str, str], int], texts: Sequence[str], of_texts: Mapping[tuple[str, str], int]
) -> list[Question]:
    """Films that people marked as relevant to a film or to words that ask, as far as films are in the sample.

    of_texts: (text, film) → grade.  texts: these texts; they ask behind the films.
    """
    row = {image_id: number for number, image_id in enumerate(films.ids)}
    asking = row | {text: len(films) + number for number, text in enumerate(texts)}
    every = [*judged.items(), *of_texts.items()]
    there = [(asking[one], row[other], grade) for (one, other), grade in every if one in asking and other in row]
    told = np.array(there, dtype=np.int64).reshape(-1, 3)
    asks = np.zeros(len(films) + len(texts), dtype=bool)
    asks[told[told[:, 2] > 0, 0]] = True
    nothing = np.zeros((len(films), 0), dtype=np.float32)
    return [Marked(ALL, asks, nothing, nothing, pairs=told[:, :2], given=told[:, 2].astype(np.float32))]


def by_findings(films: Sample, findings: Sequence[str]) -> list[Question]:
    """Films that share findings: any of them, graded by how many; then each finding by itself."""
    codes = np.stack([films.labels[name] for name in findings], axis=1)
    has, known = (codes == 1).astype(np.float32), ((codes == 0) | (codes == 1)).astype(np.float32)
    whole = [Question(ALL, has.any(axis=1), has, known)]
    return whole + [
        Question(name, has[:, n] > 0, has[:, n : n + 1], known[:, n : n + 1]) for n, name in enumerate(findings)
    ]


def by_view(films: Sample) -> list[Question]:
    """Films of the same view; then each view's films by themselves."""
    names = sorted(set(films.view) - {""})
    has = np.array([[view == name for name in names] for view in films.view], dtype=np.float32)
    known = np.repeat(has.any(axis=1, keepdims=True), len(names), axis=1).astype(np.float32)
    whole = [Question(ALL, has.any(axis=1), has, known)]
    return whole + [Question(name, has[:, n] > 0, has, known) for n, name in enumerate(names)]


def by_patient(films: Sample) -> list[Question]:
    """The same patient's other films."""
    several = np.bincount(films.patients)[films.patients] > 1
    nothing = np.zeros((len(films), 0), dtype=np.float32)
    return [Question(ALL, several, nothing, nothing, own=True)]


def subgroups(films: Sample, rows: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Name → which of the asking films `rows` belong to it: by sex, decade pairs of age, view, dataset; and words."""
    found: dict[str, NDArray[np.bool_]] = {}
    for name, values in (("sex", films.sex), ("view", films.view), ("dataset", films.dataset)):
        mine = np.array([values[row] if row < len(films) else "" for row in rows], dtype=object)
        found |= {f"{name} {value}": mine == value for value in sorted(set(mine) - {""})}
    found["questions in words"] = rows >= len(films)
    age = np.append(films.age, np.nan)[np.minimum(rows, len(films))]
    for low, high in ((0, 20), (20, 40), (40, 60), (60, 80), (80, 200)):
        found[f"age {low}–{high}" if high < 200 else f"age {low} and over"] = (age >= low) & (age < high)
    return {name: inside for name, inside in found.items() if inside.any()}
