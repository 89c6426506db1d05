"""One row for each patient: which films stand for them, and what the side tables say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.analytics.clinical.asked import AGE, HOW, SEX, columns
from services.analytics.frame import Frame
from services.core.facts import Facts, sides
from services.core.facts.sides import NUMBER, Cells
from services.core.filters.fields import SIDE

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """What is known of P patients. values: (P,) float64, NaN unknown, or (P,) words, None unknown.  level: whose cells
    they were, film, study or patient."""

    name: str
    level: str
    values: NDArray[Any]

    @property
    def number(self) -> bool:
        return self.values.dtype != object

    @property
    def known(self) -> NDArray[np.bool_]:
        """(P,)"""
        if self.number:
            return np.isfinite(self.values)
        return np.array([value is not None for value in self.values], dtype=bool)

    def take(self, rows: NDArray[np.int64]) -> Column:
        return Column(self.name, self.level, self.values[rows])


@dataclass(frozen=True)
class Joined:
    """P patients, by their numbers in the sample. patients: (P,).  films: of each the rows of those that stand for
    them.  ordered: share of patients with several films whose order is told by a date or a number."""

    patients: NDArray[np.int32]
    films: list[NDArray[np.int64]]
    ordered: float

    def __len__(self) -> int:
        return len(self.patients)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Of the films used, those of a patient after one another."""
        return np.concatenate(self.films)

    def mean(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(P, D) unit vectors of (len(rows), D): of several films their mean."""
        sizes = np.array([len(films) for films in self.films])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        sums = np.add.reduceat(np.asarray(vectors, np.float64), starts, axis=0)
        found: NDArray[np.float32] = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(
            np.float32
        )
        return found


def patients(frame: Frame, which: str, most: int, seed: int) -> Joined:
    """Each patient's first or last film, or all of them. Films go by date, then by number in the study, then by id; of
    more than `most` patients so many are drawn."""
    people = frame.patients
    order = np.lexsort((np.arange(len(frame)), _place(frame, "study_order"), _days(frame), people))
    edges = np.flatnonzero(np.diff(people[order])) + 1
    groups = np.split(order, edges)
    told = np.isfinite(_days(frame)) | np.isfinite(_place(frame, "study_order"))
    several = [films for films in groups if len(films) > 1]
    ordered = float(np.mean([told[films].all() for films in several])) if several else 1.0
    kept = np.arange(len(groups))
    if len(kept) > most:
        kept = np.sort(np.random.default_rng(seed).choice(kept, most, replace=False))
    pick: dict[str, Callable[[NDArray[np.int64]], NDArray[np.int64]]] = {
        "first": lambda films: films[:1], "last": lambda films: films[-1:], "mean": lambda films: films,
    }  # fmt: skip
    return Joined(people[order][[0, *edges]][kept], [pick[which](groups[one]) for one in kept], ordered)


def variables(facts: Facts, frame: Frame, joined: Joined, names: Sequence[str]) -> list[Column]:
    """The columns of these names, of the joined patients: of a film's or a study's cells those of the films that stand
    for a patient, of several their mean or their commonest word."""
    known, found = columns(facts), []
    rows: dict[tuple[str, str], dict[str, Cells]] = {}
    keys = {"dataset": _words(frame, "dataset")}
    for name in names:
        if name in (AGE, SEX):
            found.append(_recorded(frame, joined, name))
            continue
        cells, level, kind = [None] * len(frame), "", NUMBER
        for table in known[name]:
            column = name.removeprefix(f"{SIDE}{table.name}.")
            level, kind = table.level, next(c.kind for c in table.columns if c.name == column)
            of_film = keys.setdefault(level, _words(frame, f"{level}_id"))
            mine = [row for row in joined.rows if keys["dataset"][row] == table.dataset and of_film[row]]
            if (table.dataset, table.name) not in rows:
                wanted = {of_film[row] for row in mine}
                rows[table.dataset, table.name] = sides.cells(facts, table.dataset, table.name, wanted)
            said = rows[table.dataset, table.name]
            for row in mine:
                cells[row] = _cell(said.get(of_film[row], {}), kind, column)
        found.append(Column(name, {"image": "film"}.get(level, level), _together(joined, cells, kind == NUMBER)))
    return found


def filmed(frame: Frame, joined: Joined) -> list[Column]:
    """How the films that stand for the patients were taken, as far as it differs: dataset, view, machine."""
    read = (_recorded(frame, joined, name) for name in ("dataset", "view", *HOW))
    return [column for column in read if len(set(column.values[column.known].tolist())) > 1]


def _together(joined: Joined, cells: Sequence[Any], number: bool) -> NDArray[Any]:
    found = np.full(len(joined), np.nan) if number else np.full(len(joined), None, dtype=object)
    for row, films in enumerate(joined.films):
        there = [cells[film] for film in films if cells[film] is not None]
        if there:
            found[row] = float(np.mean(there)) if number else Counter(map(str, there)).most_common(1)[0][0]
    return found


def _cell(said: Mapping[str, Mapping[str, Any]], kind: str, column: str) -> Any:
    return said.get(kind, {}).get(column)


def _recorded(frame: Frame, joined: Joined, name: str) -> Column:
    column = frame.table[name].to_pylist() if name == AGE else _words(frame, name)
    return Column(name, "film", _together(joined, [value if value != "" else None for value in column], name == AGE))


def _words(frame: Frame, name: str) -> list[str]:
    found: list[str] = pc.fill_null(pc.cast(frame.table[name], pa.string()), "").to_pylist()
    return found


def _days(frame: Frame) -> Numbers:
    """(N,) places of the films' dates, as ISO text sorts, NaN unknown."""
    words = np.array(_words(frame, "study_date"))
    place = np.unique(words, return_inverse=True)[1].astype(np.float64)
    return np.where(words == "", np.nan, place)


def _place(frame: Frame, name: str) -> Numbers:
    found: Numbers = pc.cast(frame.table[name], pa.float64()).to_numpy()
    return found
