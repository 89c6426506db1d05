"""What films can be told apart by, as a few values each: fields of the record, bands of age, years, findings.

Every variable has the same values for a sample and for the archive that it was drawn from: code the archive, then take
the sample's rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.analytics.frame import STATES, Frame
from services.core.errors import invalid
from services.core.filters.fields import LABELS, field

# Of the record, in the order of reports.
TEXT = (
    "dataset", "split", "modality", "view", "view_source", "orientation", "body_part", "sex", "race", "ethnicity",
    "age_binned", "institution", "manufacturer", "device", "photometric", "burned_in", "date_kind", "licence",
)  # fmt: skip
NUMBERS = ("age", "study_order", "rows", "columns", "bits_stored", "pixel_spacing")
DATES = ("study_date",)
AGE_BAND, YEAR = "age_band", "year"
FIELDS = (*TEXT, *NUMBERS, *DATES)
NAMES = (*TEXT, *(name for name in NUMBERS if name != "age"), AGE_BAND, YEAR)
_BANDS = (18.0, 40.0, 60.0, 80.0)
_FEW = 12  # different numbers; more are told apart by quartiles


@dataclass(frozen=True)
class Variable:
    """values: V of them; codes: (N,) which each film has, −1 unknown."""

    name: str
    values: list[str]
    codes: NDArray[np.int32]

    def counts(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """(V + 1,): films with each value, unknown last; of all films or of these rows."""
        codes = self.codes if rows is None else self.codes[rows]
        return np.bincount(np.where(codes < 0, len(self.values), codes), minlength=len(self.values) + 1)


def check(name: str) -> str:
    """A variable's name in full. Raises INVALID_ARGUMENT naming those there are, INVALID_FILTER for a bad finding."""
    if name.startswith(LABELS):
        return field(name).name
    if name not in NAMES:
        raise invalid(f"films are told apart by {', '.join(NAMES)}, labels.<finding> or labels.<finding>.<source>")
    return name


def variable(frame: Frame, name: str) -> Variable:
    """One variable of the films of a frame that has FIELDS. name: as `check` gives it."""
    if name.startswith(LABELS):
        finding, _, source = name.removeprefix(LABELS).partition(".")
        codes = frame.stated(finding, source) if source else frame.findings.get(finding)
        silent = np.full(len(frame), -1, np.int8)
        return Variable(name, [s.value for s in STATES], (silent if codes is None else codes).astype(np.int32))
    if name == AGE_BAND:
        return _banded(name, _numbers(frame, "age"), _BANDS)
    if name == YEAR:
        return Variable(name, *coded(pc.utf8_slice_codeunits(pc.cast(frame.table["study_date"], pa.string()), 0, 4)))
    if name in NUMBERS:
        return _number(name, _numbers(frame, name))
    return Variable(name, *coded(frame.table[name]))


def every(frame: Frame, most: int = 500) -> list[Variable]:
    """All that tell films apart: of at least two values, unknown being one, and at most `most`."""
    names = [*NAMES, *(f"{LABELS}{finding}" for finding in frame.findings)]
    found = [variable(frame, name) for name in names]
    return [one for one in found if np.count_nonzero(one.counts()) > 1 and len(one.values) <= most]


def crossed(variables: Sequence[Variable], films: int) -> Variable:
    """All combinations that some film has, as one variable without unknown: a blank is a value of its own here."""
    code = np.zeros(films, np.int64)
    for one in variables:
        code = code * (len(one.values) + 1) + np.where(one.codes < 0, len(one.values), one.codes)
    kinds, codes = np.unique(code, return_inverse=True)
    names = []
    for number in kinds.tolist():
        parts, rest = [], number
        for one in reversed(variables):
            rest, value = divmod(rest, len(one.values) + 1)
            parts.append(f"{one.name} {([*one.values, 'unknown'])[value]}")
        names.append(", ".join(reversed(parts)) or "every film")
    return Variable(" × ".join(one.name for one in variables), names, codes.astype(np.int32))


def coded(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int32]]:
    """Values of text in alphabetical order, and (N,) which of them each row has, −1 for none."""
    known = column.combine_chunks()
    if isinstance(known, pa.ChunkedArray):  # of no rows
        return [], np.empty(0, np.int32)
    if not pa.types.is_dictionary(known.type):
        known = known.dictionary_encode()
    values = np.asarray(known.dictionary.to_pylist(), dtype=object)
    here = pc.fill_null(known.indices, -1).to_numpy(zero_copy_only=False)
    used = np.flatnonzero(np.bincount(here[here >= 0], minlength=len(values)))  # a dictionary outlives films left out
    used = used[np.argsort(values[used].astype(str), kind="stable")]
    place = np.full(len(values) + 1, -1, np.int32)
    place[used] = np.arange(len(used))
    return values[used].tolist(), place[here]


def _numbers(frame: Frame, name: str) -> NDArray[np.float64]:
    found: NDArray[np.float64] = pc.cast(frame.table[name], pa.float64()).to_numpy()
    return found


def _number(name: str, values: NDArray[np.float64]) -> Variable:
    kinds = np.unique(values[np.isfinite(values)])
    if len(kinds) > _FEW:
        return _banded(name, values, np.unique(np.quantile(values[np.isfinite(values)], (0.25, 0.5, 0.75))))
    codes = np.where(np.isfinite(values), np.searchsorted(kinds, values), -1)
    return Variable(name, [f"{kind:g}" for kind in kinds], codes.astype(np.int32))


def _banded(name: str, values: NDArray[np.float64], edges: Sequence[float] | NDArray[np.float64]) -> Variable:
    """Below the first edge, from each edge to below the next, from the last edge."""
    named = [f"below {edges[0]:g}", *(f"{a:g} to below {b:g}" for a, b in pairwise(edges))]
    codes = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right"), -1)
    return Variable(name, [*named, f"{edges[-1]:g} and above"], codes.astype(np.int32))
