"""One ingest at a time per dataset: two jobs on the same films would each see the other's half-done ones."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claimed(data_dir: Path, dataset: str, stopped: Callable[[], bool]) -> Iterator[bool]:
    """Hold the dataset, waiting for whoever has it; the kernel gives it back if this process dies. False: `stopped`
    came first."""
    folder = data_dir / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"ingest.{dataset}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stopped():
                    yield False
                    return
                time.sleep(0.1)
        yield True
