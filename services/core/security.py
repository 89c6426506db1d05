"""Two questions that must be answered in one way everywhere: is this path inside, is this token the one."""

from __future__ import annotations

import hmac
from pathlib import Path


def confine(root: Path, path: str | Path) -> Path | None:
    """The real place of `path` (absolute, or relative to `root`), symbolic links resolved; None when that is not `root`
    or below it, or cannot be told. Whoever asked decides what to say, and names neither path."""
    try:
        inside = root.resolve()
        real = (inside / path).resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, no right to look, a NUL in the name
        return None
    return real if real.is_relative_to(inside) else None


def same_token(given: str | None, token: str) -> bool:
    """Is `given` the operator's token? Takes as long for a near miss as for a far one; an empty token admits nobody."""
    return bool(token) and hmac.compare_digest((given or "").encode(errors="replace"), token.encode())
