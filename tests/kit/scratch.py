"""Scratch files of the tests in memory, where there is room: engines and databases sync every write, and a busy disk
takes longer for that than all tests together compute. What a killed process had written survives there as on a disk.

HILUM_TEST_SCRATCH  folder to use instead; pytest's own --basetemp and TMPDIR count before it
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

NAMED = "HILUM_TEST_SCRATCH"
_MEMORY = Path("/dev/shm")
_NEEDED = 6 * 2**30  # bytes; the tests use 2 GiB at most at a time


def take() -> Path | None:
    """Make a folder and have everybody's temporary files go there, also those of processes started from here. None
    where the ordinary place serves: without room, or because the user has named one."""
    named = os.environ.get(NAMED)
    if "TMPDIR" in os.environ or not (named or _room() >= _NEEDED):
        return None
    folder = Path(tempfile.mkdtemp(prefix="hilum-tests-", dir=named or _MEMORY))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return folder


def give_back(folder: Path) -> None:
    """Delete it with all that is in it."""
    os.environ.pop("TMPDIR", None)
    tempfile.tempdir = None
    shutil.rmtree(folder, ignore_errors=True)


def _room() -> int:
    """Bytes that may be written to memory: what is free of the file system, of the machine and of the container."""
    try:
        stat = os.statvfs(_MEMORY)
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found = [stat.f_bavail * stat.f_frsize, int(lines["MemAvailable"].split()[0]) * 1024]
    except (OSError, KeyError, ValueError):
        return 0
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and (text := limit.read_text().strip()) != "max":
        found.append(int(text) - int(used.read_text()))
    return min(found)
