"""Open the database of facts: SQLite in WAL mode by default, PostgreSQL in earnest; migrated on opening."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Float,
    cast,
    create_engine,
    event,
    func,
    literal,
    make_url,
)
from sqlalchemy.exc import ArgumentError, OperationalError, TimeoutError

from services.core.errors import ErrorCode, HilumError, invalid

_MIGRATION_LOCK = 0x48494C554D  # any number of our own
_CHECKPOINTS = 150  # tries, a fifth of a second apart


class Facts:
    """A handle on the database. Cheap to share between threads; one per process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = threading.local()

    @property
    def shared(self) -> bool:
        """May other machines be at work on the same database? With SQLite all are on this one."""
        return self.engine.dialect.name == "postgresql"

    def clock(self) -> ColumnElement[float]:
        """UTC seconds for use in a statement: the database's own where machines share it, for theirs may differ."""
        if self.shared:
            return db_clock()
        return literal(time.time(), Float)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading. Raises UNAVAILABLE when the database does not answer."""
        with _answering(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection all of whose readings are of one moment, whatever is written meanwhile."""
        with _answering(), self.engine.connect() as connection:
            if self.shared:  # readers of SQLite see one moment anyway
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed whole or not at all. On SQLite it takes the write lock at once, so that two writers
        wait for each other instead of failing midway. Within another `write` of this thread it joins that one."""
        outer: Connection | None = getattr(self._writing, "connection", None)
        if outer is not None:
            yield outer
            return
        with (
            _answering(),
            self.engine.connect() as connection,
            connection.execution_options(hilum_write=True).begin(),
        ):
            self._writing.connection = connection
            try:
                yield connection
            finally:
                self._writing.connection = None

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection of its own that ends with this block, and with it whatever it holds in the database."""
        with _answering(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.detach()
            yield connection

    def scrub(self) -> None:
        """Write the database's files anew, so that no byte of what was deleted stays in them.

        On SQLite they need as much room again meanwhile; on PostgreSQL tables are locked, and its write-ahead log and
        backups are its operator's. Raises UNAVAILABLE when somebody reads for longer than we wait.
        """
        with _answering():
            if self.engine.dialect.name == "postgresql":
                with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql("VACUUM FULL")
                return
            raw = self.engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute("VACUUM")
                for _ in range(_CHECKPOINTS):
                    busy, *_rest = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    if not busy:
                        return
                    time.sleep(0.2)
            except sqlite3.OperationalError as error:
                raise _unavailable() from error
            finally:
                raw.close()
        raise _unavailable()

    def close(self) -> None:
        self.engine.dispose()


def open_facts(url: str) -> Facts:
    """Open `url`, bringing its schema up to date. Several processes may open it at once.

    Raises INVALID_ARGUMENT for a URL of another kind of database, FAILED_PRECONDITION where its driver is missing.
    """
    place = _place(url)
    try:
        engine = create_engine(place, pool_pre_ping=place.get_backend_name() != "sqlite", hide_parameters=True)
    except ImportError:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, "facts in PostgreSQL need its driver: pip install 'hilum[postgres]'"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        database = Path(str(engine.url.database))
        database.parent.mkdir(parents=True, exist_ok=True)
        with open(database.with_suffix(".migrate"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _migrate(engine)
    else:
        _migrate(engine)
    return Facts(engine)


def db_clock() -> ColumnElement[float]:
    """UTC seconds by PostgreSQL's clock, for use in a statement."""
    return cast(func.extract("epoch", func.clock_timestamp()), Float)


def now() -> str:
    """UTC now as ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _place(url: str) -> URL:
    """Known databases, each with the one driver that we use."""
    try:
        place = make_url(url)
    except ArgumentError:
        place = None
    drivers = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
    if place is None or (kind := place.drivername.partition("+")[0]) not in drivers:
        raise invalid("HILUM_FACTS_URL is postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or sqlite:///FILE")
    return place.set(drivername=drivers[kind])


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with _answering(), engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # one process migrates, the others wait for it
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _tune_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction of its own; `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # acknowledged means durable, power loss included
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("hilum_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (OperationalError, TimeoutError) as error:  # the latter: every connection is in use
        raise _unavailable() from error


def _unavailable() -> HilumError:
    return HilumError(ErrorCode.UNAVAILABLE, "the database of facts does not answer; try again shortly")
