"""Two questions that must be answered in one way everywhere: is this path inside, is this token the one."""

from __future__ import annotations

import hmac
from pathlib import Path

from services.core.errors import ErrorCode, HilumError


def confine(root: Path, path: str | Path) -> Path:
    """The real place of `path` (absolute, or relative to `root`), symbolic links resolved.

    Raises PERMISSION_DENIED when it is not below `root` or cannot be resolved. The message names neither path.
    """
    try:
        inside = root.resolve()
        real = (inside / path).resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, no right to look, a NUL in the name
        raise _outside() from None
    if not real.is_relative_to(inside):
        raise _outside()
    return real


def same_token(given: str | None, token: str) -> bool:
    """Is `given` the operator's token? Takes as long for a near miss as for a far one; an empty token admits nobody."""
    return bool(token) and hmac.compare_digest((given or "").encode(errors="replace"), token.encode())


def _outside() -> HilumError:
    return HilumError(ErrorCode.PERMISSION_DENIED, "this path is outside the folder that the server may use here")
