"""What a job has to remember by the film, kept in a file that has no name: memory stays flat however many there are.

The file goes with the connection, also when the process is killed. Little of it never reaches the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence

from services.core.errors import ErrorCode, HilumError

_CACHE_KIB = 2048


class Scratch:
    """A private SQLite database for several threads. Raises FAILED_PRECONDITION when there is no room for it."""

    def __init__(self, *tables: str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in (f"PRAGMA cache_size = -{_CACHE_KIB}", "PRAGMA journal_mode = OFF", "BEGIN", *tables):
            self._db.execute(statement)

    def ask(self, statement: str, values: Sequence[object] = ()) -> list[tuple[str, ...]]:
        """All that it answers."""
        return self._done(lambda: self._db.execute(statement, values).fetchall())

    def fill(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """The same statement for every row."""
        self._done(lambda: self._db.executemany(statement, rows).fetchall())

    def function(self, name: str, call: Callable[..., object]) -> None:
        """Make `call` known to statements, for one argument."""
        self._db.create_function(name, 1, call)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _done(self, call: Callable[[], list[tuple[str, ...]]]) -> list[tuple[str, ...]]:
        try:
            with self._lock:
                return call()
        except sqlite3.OperationalError as error:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "the server's temporary folder has no room; free some and submit again"
            ) from error
