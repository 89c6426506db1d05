"""Variables of films as tables and balance need them: numbers as they are, all else as values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.analytics import variables
from services.analytics.frame import Frame
from services.analytics.variables import Variable


@dataclass(frozen=True)
class Number:
    """values: (N,) float64, NaN unknown."""

    name: str
    values: NDArray[np.float64]


Trait = Number | Variable


def check(name: str) -> str:
    """A variable's name in full. Raises INVALID_ARGUMENT naming those there are, INVALID_FILTER for a bad finding."""
    return name if name in variables.NUMBERS else variables.check(name)


def trait(frame: Frame, name: str) -> Trait:
    """One variable of the films of a frame that has `variables.FIELDS`. name: as `check` gives it."""
    if name not in variables.NUMBERS:
        return variables.variable(frame, name)
    values = pc.cast(frame.table[name], pa.float64()).to_numpy()  # null becomes NaN
    return Number(name, np.where(np.isfinite(values), values, np.nan))


def known(one: Trait) -> NDArray[np.bool_]:
    """(N,): of which films it is known."""
    found: NDArray[np.bool_] = np.isfinite(one.values) if isinstance(one, Number) else one.codes >= 0
    return found


def take(one: Trait, rows: NDArray[np.int64]) -> Trait:
    """The variable of these films, in this order; its values stay as they are."""
    if isinstance(one, Number):
        return Number(one.name, one.values[rows])
    return Variable(one.name, one.values, one.codes[rows])
