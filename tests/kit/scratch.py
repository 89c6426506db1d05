"""Scratch files of the tests in memory, where there is room: engines and databases sync every write, and a busy disk
takes longer for that than all tests together compute. What a killed process had written survives there as on a disk.

HILUM_TEST_SCRATCH  folder to use instead; pytest's own --basetemp and TMPDIR count before it
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

NAMED = "HILUM_TEST_SCRATCH"
DISK = tempfile.gettempdir()  # the ordinary place, for a test that measures a disk
_MEMORY = Path("/dev/shm")
_PREFIX = "hilum-tests-"
_NEEDED = 8 * 2**30  # bytes


def take() -> Path | None:
    """Make a folder and have everybody's temporary files go there, also those of processes started from here. None
    where the ordinary place serves: without room, or because the user has named one."""
    named = os.environ.get(NAMED)
    if "TMPDIR" in os.environ:
        return None
    home = Path(named) if named else _MEMORY
    _sweep(home)
    if not named and _room() < _NEEDED:
        return None
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=home))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    atexit.register(_leave, folder)
    return folder


def give_back(folder: Path) -> None:
    """Delete what is in it, but for what multiprocessing deletes at the very end."""
    for path in folder.glob("*"):
        if not path.name.startswith("pymp-"):
            shutil.rmtree(path, ignore_errors=True)


def _leave(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _sweep(home: Path) -> None:
    """Folders of sessions that were killed: they would fill the memory."""
    for path in home.glob(f"{_PREFIX}*"):
        owner = path.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(path, ignore_errors=True)


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
