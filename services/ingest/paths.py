"""Paths that clients name on this server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.security import confine


def allowed(text: str, what: str, roots: Sequence[Path], operator: bool) -> Path:
    """The real path; a client that is not this machine's operator stays below the server's ingest roots.

    what: what the path is of, for the message. Raises INVALID_ARGUMENT, PERMISSION_DENIED.
    """
    if not text or "\0" in text:
        raise invalid(f"{what} must be a path on the server")
    path = Path(text)
    if not path.is_absolute():
        raise invalid(f"{what} must be an absolute path on the server")
    real = confine(Path("/"), path)
    if real is None:
        raise invalid(f"{what} cannot be resolved; check the path")
    if not operator and not any(confine(root, real) for root in roots):
        raise HilumError(
            ErrorCode.PERMISSION_DENIED,
            f"{what} is outside the folders that this server takes films from; ask its operator",
        )
    return real


def allowed_file(text: str, what: str, roots: Sequence[Path], operator: bool) -> str:
    """The same for a file that must be there; blank stays blank."""
    path = allowed(text, what, roots, operator) if text else None
    if path and not path.is_file():
        raise invalid(f"{what} is no file on this server; check the path")
    return str(path or "")


def allowed_folder(text: str, what: str, roots: Sequence[Path], operator: bool) -> str:
    """The same for a folder."""
    path = allowed(text, what, roots, operator) if text else None
    if path and not path.is_dir():
        raise invalid(f"{what} is no folder on this server; check the path")
    return str(path or "")
