"""Memory that is free and that the C library keeps: films come and go in sizes that leave holes between what stays."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Return what is free to the system, where the C library can (glibc). Some milliseconds."""
    if _TRIM is not None:
        _TRIM(0)


try:
    _TRIM = ctypes.CDLL(None).malloc_trim
except (OSError, AttributeError, TypeError):  # another C library
    _TRIM = None
