"""What a misspelt name was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 64


def meant(word: str, known: Iterable[str]) -> str:
    """``"; did you mean view?"`` where a known name is close, else nothing."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word[:_LONGEST].lower(), by_lower, n=1)
    return f"; did you mean {by_lower[found[0]]}?" if found else ""
