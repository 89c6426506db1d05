"""What became of the patients: yes or no, or an event in time. Who is not known to have had it and not known to have
had it not, is left out and counted; nothing unknown becomes a no."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.clinical.join import Column
from services.core.errors import ErrorCode, HilumError

MIN_EVENTS = 5  # and as many without
_YES = ("1", "yes", "true", "y", "t", "dead", "died", "deceased")


@dataclass(frozen=True)
class Outcome:
    """rows: (M,) of the joined patients, those whose outcome is known.  event: (M,).  time: (M,) until the event or
    until nothing more is known, None of an outcome without time.  left_out: why → how many patients."""

    name: str
    rows: NDArray[np.int64]
    event: NDArray[np.bool_]
    time: NDArray[np.float64] | None
    left_out: dict[str, int]
    value: str  # that is an event

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def events(self) -> int:
        return int(self.event.sum())


def read(outcome: Column, time: Column | None, event: str) -> Outcome:
    """Raises INVALID_ARGUMENT where it is not told which value is the event, FAILED_PRECONDITION where there are too
    few of either."""
    words = np.array(
        [_word(value) if known else "" for value, known in zip(outcome.values, outcome.known, strict=True)]
    )
    there = sorted(set(words[outcome.known].tolist()))
    value = _word(float(event)) if outcome.number and _is_number(event) else event
    if not value:
        yes = [word for word in there if word.lower() in _YES]
        if len(there) > 2 or len(yes) != 1:
            raise HilumError(
                ErrorCode.INVALID_ARGUMENT,
                f"the outcome has {len(there)} values; name the one that is the event (--event)",
            )
        value = yes[0]
    elif value not in there:
        raise HilumError(ErrorCode.INVALID_ARGUMENT, "no patient's outcome has the value that is named as the event")
    keep, left = outcome.known.copy(), {"outcome unknown": int((~outcome.known).sum())}
    if time is not None:
        if not time.number:
            raise HilumError(ErrorCode.INVALID_ARGUMENT, "the time is a column of numbers")
        left["time unknown"] = int((keep & ~time.known).sum())
        keep &= time.known
        left["time not above 0"] = int((keep & ~(time.values > 0)).sum())
        keep &= np.where(time.known, time.values, 0.0) > 0
    rows = np.flatnonzero(keep)
    found = Outcome(
        outcome.name, rows, words[rows] == value, None if time is None else time.values[rows].astype(np.float64),
        {why: count for why, count in left.items() if count}, value,
    )  # fmt: skip
    if min(found.events, len(found) - found.events if time is None else found.events) < MIN_EVENTS:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"{found.events} of {len(found)} patients whose outcome is known have the event; {MIN_EVENTS} with it"
            f"{'' if time is not None else ' and without it'} are needed: widen the filter, or leave the outcome out",
        )
    return found


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
