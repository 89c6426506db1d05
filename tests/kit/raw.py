"""Files byte by byte."""

from __future__ import annotations

from pathlib import Path

MARGIN = b"\0" * 128


def written(path: Path) -> bytes:
    """A file's bytes without the zeros before and behind them, but for as many as a needle could end in: engines keep
    files that are empty for the most part. Blank for what is no file."""
    return MARGIN + path.read_bytes().strip(b"\0") + MARGIN if path.is_file() else b""
