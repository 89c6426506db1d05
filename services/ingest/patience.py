"""Waiting out an engine that is slow or coming back: an ingest pauses, it does not lose films."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from services.core.errors import ErrorCode, HilumError

T = TypeVar("T")

PATIENCE = 90.0  # seconds in all; every call that is repeated here may be: ids decide what a write means
_PASSING = (ErrorCode.UNAVAILABLE, ErrorCode.DEADLINE_EXCEEDED)


def patiently(call: Callable[[], T]) -> T:
    """`call`, repeated while the engine is away or late, for `PATIENCE` seconds. Raises the last HilumError."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except HilumError as error:
            if error.code not in _PASSING or time.monotonic() > deadline:
                raise
        time.sleep(0.2)
