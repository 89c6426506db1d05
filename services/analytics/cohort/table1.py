"""Table 1: who is in a cohort. Every variable is counted by what it is of: sex by patients, dates by studies, views and
findings by images. What is missing always has a line; there are no p values, as nothing is tested (STROBE, PLoS Med
2007; 4:e297)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.analytics.cohort.traits import Number, Trait
from services.analytics.variables import AGE_BAND, YEAR

IMAGE, STUDY, PATIENT = UNITS = ("image", "study", "patient")
PLURAL = {IMAGE: "images", STUDY: "studies", PATIENT: "patients"}
OF_PATIENTS = ("dataset", "sex", "race", "ethnicity", "age", AGE_BAND)
OF_STUDIES = (YEAR, "date_kind", "institution", "study_order")
_FIRST = ("age", AGE_BAND, YEAR)  # several: that of the first film, which is the lowest
CONTRADICTORY = "contradictory"  # a patient (or study) of whom films say several things


@dataclass(frozen=True)
class Figures:
    """One cell: of a number (mean, sd, median, quartiles), or of a value (count).  known: patients, studies or images
    that say anything; of: all of them."""

    known: int
    of: int
    count: int | None = None
    mean: float | None = None
    sd: float | None = None
    median: float | None = None
    first_quartile: float | None = None
    third_quartile: float | None = None

    @property
    def missing(self) -> int:
        return self.of - self.known


@dataclass(frozen=True)
class Line:
    """A variable that is a number (value is blank), or one of its values; cells: one for each group."""

    variable: str
    unit: str
    value: str
    cells: list[Figures]


@dataclass(frozen=True)
class Table1:
    """groups: their names.  sizes: of each its images, studies and patients."""

    groups: list[str]
    sizes: list[dict[str, int]]
    lines: list[Line]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each line and group, and one for each variable's missing values."""
        found: list[dict[str, Any]] = []
        for line in self.lines:
            for group, cell in zip(self.groups, line.cells, strict=True):
                share = cell.count / cell.known if cell.count is not None and cell.known else None
                found.append({
                    "variable": line.variable, "unit": line.unit, "value": line.value or None, "group": group,
                    "of": cell.of, "known": cell.known, "missing": cell.missing, "count": cell.count, "share": share,
                    "mean": cell.mean, "sd": cell.sd, "median": cell.median, "first_quartile": cell.first_quartile,
                    "third_quartile": cell.third_quartile,
                })  # fmt: skip
        return found


def table1(
    traits: Sequence[Trait],
    groups: Mapping[str, NDArray[np.bool_]],
    patients: NDArray[np.integer[Any]],
    studies: NDArray[np.integer[Any]],
) -> Table1:
    """groups: name → (N,) its films.  patients, studies: (N,) numbers from 0; a film that names none is one of its
    own."""
    rows = [np.flatnonzero(mask) for mask in groups.values()]
    owners = {
        IMAGE: [np.arange(len(some)) for some in rows],
        STUDY: [_numbered(studies[some]) for some in rows],
        PATIENT: [_numbered(patients[some]) for some in rows],
    }
    sizes = [
        {PLURAL[unit]: int(owners[unit][group].max(initial=-1)) + 1 for unit in UNITS} for group in range(len(rows))
    ]
    lines: list[Line] = []
    for one in traits:
        unit = unit_of(one.name)
        if isinstance(one, Number):
            told = [_number(_lowest(one.values[some], mine)) for some, mine in zip(rows, owners[unit], strict=True)]
            lines.append(Line(one.name, unit, "", told))
            continue
        codes = [
            _code(one.codes[some], mine, one.name in _FIRST, len(one.values))
            for some, mine in zip(rows, owners[unit], strict=True)
        ]
        names = [*one.values, CONTRADICTORY]
        counts = [np.bincount(c[c >= 0], minlength=len(names)) for c in codes]
        for place, value in enumerate(names):
            if any(count[place] for count in counts):
                cells = [
                    Figures(int(count.sum()), len(c), int(count[place])) for count, c in zip(counts, codes, strict=True)
                ]
                lines.append(Line(one.name, unit, value, cells))
        if not any(count.any() for count in counts):  # unknown of all: a line that says so
            lines.append(Line(one.name, unit, "", [Figures(0, len(c)) for c in codes]))
    return Table1(list(groups), sizes, lines)


def unit_of(name: str) -> str:
    """Whose property a variable is."""
    return PATIENT if name in OF_PATIENTS else STUDY if name in OF_STUDIES else IMAGE


def _numbered(owner: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """(n,) the same owners, numbered from 0 as they come."""
    found: NDArray[np.integer[Any]] = pa.array(owner).dictionary_encode().indices.to_numpy()
    return found


def _lowest(values: NDArray[np.float64], mine: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """(owners,) the lowest number of each, NaN where none is known. mine: (n,) whose each is."""
    found = np.full(int(mine.max(initial=-1)) + 1, np.inf)
    np.minimum.at(found, mine, np.where(np.isfinite(values), values, np.inf))
    return np.where(np.isfinite(found), found, np.nan)


def _code(codes: NDArray[np.int32], mine: NDArray[np.integer[Any]], first: bool, several: int) -> NDArray[np.int32]:
    """(owners,) the value of each, −1 where none is known; of several `several`, unless the first stands for them."""
    told, owners = codes >= 0, int(mine.max(initial=-1)) + 1
    if owners == len(codes):  # of images themselves
        return codes
    low, high = np.full(owners, np.iinfo(np.int32).max, np.int32), np.full(owners, -1, np.int32)
    np.minimum.at(low, mine[told], codes[told])
    np.maximum.at(high, mine[told], codes[told])
    found = np.where(high < 0, -1, low)
    return found if first else np.where((high >= 0) & (low != high), several, found)


def _number(values: NDArray[np.float64]) -> Figures:
    known = values[np.isfinite(values)]
    if not len(known):
        return Figures(0, len(values))
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75)).tolist()
    sd = float(known.std(ddof=1)) if len(known) > 1 else None
    return Figures(len(known), len(values), None, float(known.mean()), sd, middle, low, high)
