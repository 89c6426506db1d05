"""Fixtures that every test may use. Real parts only: SQLite on disk, and the embedded engine as its own process.

facts        a fresh database of facts; modules marked `databases` get it on SQLite and on PostgreSQL
postgres     a PostgreSQL server, or a skip with its reason
store        a `VectorStore` on the session's engine; its collections are gone after the test
own_engine   an engine process of the test's own, to kill, stop and restart
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.core.facts import Facts, open_facts
from services.core.logs import Logger
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from tests.kit import postgres as postgresql
from tests.kit import scratch

DATABASES = ["sqlite", "postgresql"]
STARTED: list[EngineProcess] = []  # the session's engine, from when a test first asks for it


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest makes its own folder of temporary files."""
    if not config.option.basetemp and (folder := scratch.take()):
        config.add_cleanup(lambda: scratch.give_back(folder))


@pytest.fixture(autouse=True)
def _strict_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log field that is not on the allow-list is an error in every test."""
    monkeypatch.setattr(Logger, "strict", True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test marked `databases` that takes `facts` or `facts_url` runs once on each."""
    if "facts_url" in metafunc.fixturenames and metafunc.definition.get_closest_marker("databases"):
        metafunc.parametrize("facts_url", DATABASES, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgresql.Server]:
    """A PostgreSQL server for the whole session."""
    with postgresql.server() as running:
        yield running


@pytest.fixture
def facts_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a fresh database: SQLite in `tmp_path`, or PostgreSQL where the test is to run on it."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{tmp_path / 'facts.db'}"
        return
    with request.getfixturevalue("postgres").database() as url:
        yield url


@pytest.fixture
def facts(facts_url: str) -> Iterator[Facts]:
    """A fresh database of facts."""
    opened = open_facts(facts_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """One engine process for the whole session: leave it running. Tests that harm an engine take `own_engine`."""
    home = tmp_path_factory.mktemp("engine")
    with EngineProcess(home / "data", log_file=home / "engine.log") as process:
        STARTED.append(process)
        yield process
        STARTED.clear()


@pytest.fixture(autouse=True, scope="module")
def tidy_module() -> Iterator[None]:
    """The same for what a module's tests share: nothing is left for another module to find."""
    before = _collections()
    yield
    for process in STARTED:
        opened = VectorStore(process.url)
        for name in _collections() - before:
            opened.drop(name)
        opened.close()


def _collections() -> set[str]:
    """On the session's engine, once it runs."""
    found = set[str]()
    for process in STARTED:
        opened = VectorStore(process.url)
        found |= set(opened.collections())
        opened.close()
    return found


@pytest.fixture(autouse=True)
def tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """The collections that a test makes on the session's engine are gone after it, whoever made them."""
    process = request.getfixturevalue("engine") if "engine" in request.fixturenames else None
    if not isinstance(process, EngineProcess):  # some tests call a parameter so
        yield
        return
    opened = VectorStore(process.url)
    before = opened.collections()
    yield
    for name in opened.collections():
        if name not in before:
            opened.drop(name)
    opened.close()


@pytest.fixture
def store(engine: EngineProcess) -> Iterator[VectorStore]:
    """A store on the session's engine."""
    opened = VectorStore(engine.url)
    yield opened
    opened.close()


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[EngineProcess]:
    """A started engine process that belongs to this test alone."""
    with EngineProcess(tmp_path / "engine", log_file=tmp_path / "engine.log") as process:
        yield process
