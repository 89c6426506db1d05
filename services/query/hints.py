"""What may explain an answer without films."""

from __future__ import annotations

import difflib

from services.core.facts import Facts, images
from services.core.filters import Expr
from services.core.filters.ast import findings


def unstated(facts: Facts, condition: Expr | None, finding: str = "") -> tuple[str, ...]:
    """A note for every finding that a filter (or a mode) speaks of and no film states: it is misspelt, or was never
    labelled."""
    asked = findings(condition) | ({finding} if finding else set())
    if not asked:
        return ()
    stated = images.stated_findings(facts)
    notes = []
    for name in sorted(asked - stated):
        close = difflib.get_close_matches(name, stated, 1)
        notes.append(
            f"no film states labels.{name}" + (f"; the closest that films state is labels.{close[0]}" if close else "")
        )
    return tuple(notes)
