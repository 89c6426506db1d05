"""Fields of the record, counted in each dataset: values, spread, and how many films say nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.analytics.frame import Frame
from services.analytics.variables import coded

_BINS = 40
QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Sites:
    """The datasets of a frame: their names, and (N,) which of them each film is of."""

    names: list[str]
    of_film: NDArray[np.int32]

    @property
    def films(self) -> NDArray[np.int64]:
        """(D,) films of each."""
        return np.bincount(self.of_film, minlength=len(self.names))


@dataclass(frozen=True)
class Counts:
    """A field of words: its values, the commonest first, (D, V) films with each in each dataset, (D,) that say nothing.
    distinct: how many values there are."""

    name: str
    values: list[str]
    films: NDArray[np.int64]
    missing: NDArray[np.int64]

    @property
    def distinct(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Spread:
    """A field of numbers. Rows are the datasets and, last, all of them: films (D+1,) that state it, missing, mean, sd,
    quartiles (D+1, 5) from least to most; NaN where nobody states it. counts (D, B) between edges (B+1,)."""

    name: str
    films: NDArray[np.int64]
    missing: NDArray[np.int64]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    quartiles: NDArray[np.float64]
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    distinct: int


def sites(frame: Frame) -> Sites:
    """In alphabetical order."""
    names, codes = coded(frame.table["dataset"])
    return Sites(names, codes)


def words(frame: Frame, name: str, where: Sites) -> Counts:
    """A field of words."""
    return counted(name, *coded(frame.table[name]), where)


def years(frame: Frame, name: str, where: Sites) -> Counts:
    """A field of dates, by the year, in the order of years."""
    year = pc.utf8_slice_codeunits(pc.cast(frame.table[name], pa.string()), 0, 4)
    found = counted(name, *coded(year), where)
    order = np.argsort(found.values)
    return Counts(name, [found.values[i] for i in order], found.films[:, order], found.missing)


def counted(name: str, values: list[str], codes: NDArray[np.int32], where: Sites) -> Counts:
    """codes: (N,) which of `values` each film has, −1 for none."""
    shape = (len(where.names), len(values) + 1)
    films = np.bincount(where.of_film * shape[1] + codes + 1, minlength=shape[0] * shape[1]).reshape(shape)
    order = np.argsort(-films[:, 1:].sum(axis=0), kind="stable")
    return Counts(name, [values[i] for i in order], films[:, 1:][:, order], films[:, 0])


def numbers(frame: Frame, name: str, where: Sites) -> Spread:
    """A field of numbers."""
    values = pc.cast(frame.table[name], pa.float64()).to_numpy()
    known = np.isfinite(values)
    per = [known & (where.of_film == site) for site in range(len(where.names))] + [known]
    films = np.array([mask.sum() for mask in per])
    found = [values[mask] for mask in per]
    edges = _edges(found[-1])
    return Spread(
        name=name,
        films=films,
        missing=np.append(where.films, len(frame)) - films,
        mean=np.array([v.mean() if len(v) else np.nan for v in found]),
        sd=np.array([v.std(ddof=1) if len(v) > 1 else np.nan for v in found]),
        quartiles=np.array([np.quantile(v, QUARTILES) if len(v) else np.full(5, np.nan) for v in found]),
        edges=edges,
        counts=np.array([np.histogram(v, edges)[0] for v in found[:-1]]),
        distinct=len(np.unique(found[-1])),
    )


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round bins over what there is; a value each where there are few."""
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    step = 10.0 ** np.floor(np.log10((high - low) / _BINS))
    step *= next(m for m in (1, 2, 2.5, 5, 10) if (high - low) / (step * m) <= _BINS)
    edges: NDArray[np.float64] = np.arange(np.floor(low / step), np.floor(high / step) + 2) * step
    return edges
