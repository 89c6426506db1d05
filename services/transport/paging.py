"""Pages: bounded sizes and opaque tokens."""

from __future__ import annotations

import base64
import binascii

from services.core.errors import invalid
from services.core.limits import MAX_PAGE_SIZE


def size(requested: int, default: int) -> int:
    """The page size in force. Raises INVALID_ARGUMENT beyond the bound."""
    if not 0 <= requested <= MAX_PAGE_SIZE:
        raise invalid(f"page_size is between 1 and {MAX_PAGE_SIZE} (0: {default})")
    return requested or default


def token(position: str) -> str:
    """An opaque token for the place behind `position`."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def position(text: str) -> str:
    """The place that a token names; empty for the first page. Raises INVALID_ARGUMENT."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise invalid("page_token is not one that this service gave; start again without it") from None
