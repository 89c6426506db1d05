"""Named points of the pipeline at which a test may have the process killed. Outside tests nothing is ever named."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

Reached = Callable[[str], None]


def nowhere(point: str) -> None:
    """The ordinary case: points pass unnoticed."""


def killed_at(spec: str) -> Reached:
    """SIGKILL this process when it reaches the point `spec` names: ``encoded`` or, the third time, ``encoded#3``.

    Points, in order: listed, decoded, encoded, after_upsert:<model>, before_commit, after_commit, before_finish.
    Read from HILUM_CRASH_AT by main() alone, and handed down.
    """
    if not spec:
        return nowhere
    name, _, nth = spec.partition("#")
    left = [int(nth or 1)]

    def reached(point: str) -> None:
        if point == name:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return reached
