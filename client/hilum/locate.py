"""Where a running Hilum is: `HILUM_URL`, or the note that `hilum up` leaves in its data folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to call, and this machine's operator token where we may read it."""

    grpc: str
    http: str = ""
    token: str = ""


def data_dir(data: str | os.PathLike[str] | None = None) -> Path:
    """The data folder: `data`, else HILUM_DATA, else the user's own."""
    share = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(data or os.environ.get("HILUM_DATA") or share / "hilum").expanduser().absolute()


def running(data: Path) -> Endpoint | None:
    """The Hilum that has `data` open, or None."""
    try:
        note = json.loads((data / "run" / "endpoint.json").read_text())
        os.kill(int(note["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return None
    return Endpoint(note["grpc"], note.get("http", ""), note.get("token", ""))


def find(url: str | None = None, data: str | os.PathLike[str] | None = None) -> Endpoint:
    """`url` or HILUM_URL, else the running one of the data folder, else the default port."""
    url = url or os.environ.get("HILUM_URL")
    if url:
        return Endpoint(url.removeprefix("grpc://").removeprefix("http://").rstrip("/"))
    return running(data_dir(data)) or Endpoint("127.0.0.1:50051")
