"""A PostgreSQL for tests: a private cluster on loopback, run by a user without rights, or the server you name.

HILUM_TEST_POSTGRES  URL of a server whose user may create databases; without it a cluster of our own is started where
                     PostgreSQL is installed.
"""

from __future__ import annotations

import getpass
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import OperationalError

from services.core.facts import open_facts

NAMED = "HILUM_TEST_POSTGRES"
_TEMPLATE = "hilum_test_template"


@dataclass
class Server:
    """A running PostgreSQL. `database` makes one with Hilum's tables and drops it again."""

    url: str
    process: subprocess.Popen[bytes] | None = None
    _made: list[str] = field(default_factory=list)

    @contextmanager
    def database(self, empty: bool = False) -> Iterator[str]:
        """URL of a new database: one with all tables, copied, for migrating takes a second; or an empty one."""
        if not empty and _TEMPLATE not in self._made:
            self._run(f"DROP DATABASE IF EXISTS {_TEMPLATE}", f"CREATE DATABASE {_TEMPLATE}")
            open_facts(self._named(_TEMPLATE)).close()
            self._made.append(_TEMPLATE)
        name = f"hilum_test_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else _TEMPLATE}")
        try:
            yield self._named(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Drop what is shared by tests."""
        for name in self._made:
            self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _named(self, database: str) -> str:
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)

    def _run(self, *statements: str) -> None:
        engine = create_engine(make_url(self.url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def server() -> Iterator[Server]:
    """The server that HILUM_TEST_POSTGRES names, or one of our own. Skips the test where there is neither."""
    pytest.importorskip("psycopg", reason="needs the postgres extra: pip install 'psycopg[binary]'")
    if url := os.environ.get(NAMED):
        named = Server(url)
        yield named
        named.close()
        return
    if (binaries := _binaries()) is None:
        pytest.skip(f"PostgreSQL is not installed and {NAMED} is not set")
    with tempfile.TemporaryDirectory(prefix="hilum-postgres-", ignore_cleanup_errors=True) as home:
        yield from _own(binaries, Path(home))


def _own(binaries: Path, home: Path) -> Iterator[Server]:
    user = _user()
    shutil.chown(home, user)
    other = user != getpass.getuser()
    as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if other else {}
    password, data, said = secrets.token_hex(16), home / "data", home / "log"
    (home / "password").write_text(password)
    shutil.chown(home / "password", user)
    with said.open("wb") as log:
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "hilum", "-A", "scram-sha-256", "--pwfile", home / "password",
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            stdout=log, stderr=log, check=True, cwd=home, **as_user,
        )  # fmt: skip
        port = _free_port()
        settings = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off",
            "max_connections": 60, "shared_buffers": "32MB",
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, *options], stdout=log, stderr=log, cwd=home, **as_user
        )
        try:
            found = Server(f"postgresql://hilum:{password}@127.0.0.1:{port}/postgres", process)
            _wait(found, said)
            yield found
        finally:
            process.terminate()  # open transactions end with their clients', which tests have closed
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.send_signal(3)  # SIGQUIT: at once
                process.wait(10)


def _wait(found: Server, said: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            found._run("SELECT 1")
            return
        except OperationalError:
            assert found.process is not None
            dead = found.process.poll() is not None
            assert not dead and time.monotonic() < deadline, f"PostgreSQL did not start:\n{said.read_text()}"
        time.sleep(0.1)


def _binaries() -> Path | None:
    """The folder of `postgres` and `initdb`; Debian keeps it off the path."""
    places = [Path(found).resolve().parent for name in ("postgres", "initdb") if (found := shutil.which(name))]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((p for p in places if (p / "postgres").exists() and (p / "initdb").exists()), None)


def _user() -> str:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return getpass.getuser()
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
