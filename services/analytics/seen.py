"""Whose runs somebody may see: those all of whose films he may see. A run made before runs said so is seen by whoever
may see everything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.analytics import manifest
from services.core import filters
from services.core.access import Access
from services.core.errors import ErrorCode, HilumError


def sees(access: Access, told: Mapping[str, Any]) -> bool:
    """told: the manifest of a run, or what is known of one that is not finished."""
    return access.datasets is None or ("films_of" in told and all(map(access.sees, told["films_of"])))


def narrowed(access: Access, text: str) -> str:
    """The filter of a run that looks at no film which the asker may not see. Raises INVALID_FILTER."""
    if access.datasets is None:
        return text
    return filters.describe(filters.all_of(filters.parse(text), access.condition()))


def folder(runs: Path, run_id: str, access: Access) -> Path:
    """Where a finished run lies that may be seen. Raises NOT_FOUND."""
    home = manifest.folder(runs, run_id)
    if access.datasets is not None and not sees(access, json.loads((home / "manifest.json").read_text())):
        raise HilumError(
            ErrorCode.NOT_FOUND, "no such run, or it is not finished; `hilum analyze list` shows those there are"
        )
    return home
