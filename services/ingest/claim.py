"""One ingest at a time per dataset: two jobs on the same films would each see the other's half-done ones."""

from __future__ import annotations

import fcntl
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.core.facts import Facts

_LOCKS = 0x48494C55  # the first half of our advisory locks' keys; the other is the dataset's


@contextmanager
def claimed(facts: Facts, data_dir: Path, dataset: str, stopped: Callable[[], bool]) -> Iterator[bool]:
    """Hold the dataset, waiting for whoever has it; given back when this process dies. False: `stopped` came first.

    Where machines share a database of facts, the claim is that database's; else the data folder's.
    """
    with _in_database(facts, dataset) if facts.shared else _in_folder(data_dir, dataset) as take:
        while not (held := take()) and not stopped():
            time.sleep(0.1)
        yield held


@contextmanager
def _in_folder(data_dir: Path, dataset: str) -> Iterator[Callable[[], bool]]:
    folder = data_dir / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"ingest.{dataset}.lock").open("w") as lock:

        def take() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield take


@contextmanager
def _in_database(facts: Facts, dataset: str) -> Iterator[Callable[[], bool]]:
    """An advisory lock of a session of its own: it ends with its connection. A machine that is switched off is missed
    within half a minute."""
    other = int.from_bytes(zlib.crc32(dataset.encode()).to_bytes(4), signed=True)
    with facts.session() as session:
        for setting in ("tcp_keepalives_idle = 15", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3"):
            session.exec_driver_sql(f"SET {setting}")
        yield lambda: bool(session.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCKS}, {other})").scalar())
