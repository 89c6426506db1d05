"""Where analyses keep what their finished stages made until the run is complete (`services.analytics.stages`).

    DATA/stages/<what was asked>/…      a folder for what is asked, whoever asks it again

They hold pictures of films and what was computed from them: folders and files are their owner's alone, whoever forgets
a patient drops all of them, a run that is complete or cancelled drops its own, and those that nobody came back for go
after a week, or where they are too large together.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DAYS = 7.0
_MOST = 4 * 2**30  # bytes of all folders; those used longest ago go first


def folder(data_dir: Path, asked: Mapping[str, Any]) -> Path:
    """Of what is asked: a request in plain JSON with its defaults."""
    name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return data_dir / "stages" / name[:32]


def drop(data_dir: Path, asked: Mapping[str, Any] | None = None) -> int:
    """Remove what is kept of what is asked, or of everything; how many folders there were."""
    found = [folder(data_dir, asked)] if asked is not None else list((data_dir / "stages").glob("*"))
    there = [path for path in found if path.is_dir()]
    for path in there:
        shutil.rmtree(path, ignore_errors=True)
    return len(there)


def count(data_dir: Path) -> int:
    """How many folders there are."""
    return len(list((data_dir / "stages").glob("*")))


def tidy(data_dir: Path, most: int = _MOST, days: float = _DAYS) -> None:
    """Remove folders that nobody came back for."""
    known: list[tuple[float, int, Path]] = []
    for path in (data_dir / "stages").glob("*"):
        with contextlib.suppress(OSError):
            files = [file.stat() for file in path.iterdir()]
            known.append((max((f.st_mtime for f in files), default=0.0), sum(f.st_size for f in files), path))
    left = sum(size for _, size, _ in known)
    for used, size, path in sorted(known):
        if left <= most and used > time.time() - days * 86_400:
            return
        shutil.rmtree(path, ignore_errors=True)
        left -= size
