"""Migrations make exactly the tables that the code reads, from nothing, again, and from several processes at once."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, jobs, open_facts
from services.core.facts import db as facts_db
from services.core.facts.schema import metadata


def test_migrations_make_the_schema_that_the_code_declares(facts: Facts) -> None:
    with facts.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_there_is_one_line_of_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(facts_db.__file__).parent / "migrations"))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'odd % name' / 'facts.db'}"
    first = open_facts(url)
    job = jobs.submit(first, "ingest", {})
    first.close()
    again = open_facts(url)
    assert jobs.get(again, job.job_id) == job
    again.close()


def _open(urls: list[str], all_are_up: Barrier) -> None:
    for url in urls:
        all_are_up.wait(60)
        open_facts(url).close()


def test_processes_that_open_at_once_migrate_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    all_are_up = context.Barrier(4)
    urls = [f"sqlite:///{tmp_path / f'{attempt}.db'}" for attempt in range(6)]
    openers = [context.Process(target=_open, args=(urls, all_are_up)) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join(90)
    assert [opener.exitcode for opener in openers] == [0] * 4


def test_a_write_is_whole_or_nothing_and_a_nested_one_joins(facts: Facts) -> None:
    with pytest.raises(RuntimeError), facts.write():
        jobs.submit(facts, "ingest", {})
        raise RuntimeError
    assert jobs.recent(facts) == []
    with facts.write():
        jobs.submit(facts, "ingest", {})
        jobs.submit(facts, "ingest", {})
    assert len(jobs.recent(facts)) == 2


def test_writers_in_threads_wait_for_each_other(facts: Facts) -> None:
    failed: list[BaseException] = []

    def submit() -> None:
        try:
            for _ in range(10):
                jobs.submit(facts, "ingest", {})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(jobs.recent(facts, size=1_000)) == 80


def test_a_database_that_does_not_answer_is_unavailable(facts: Facts, tmp_path: Path) -> None:
    holder = sqlite3.connect(tmp_path / "facts.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with facts.read() as db:  # reading goes on beside a writer
            assert db.scalar(select(text("1"))) == 1
            db.exec_driver_sql("PRAGMA busy_timeout=50")
        with pytest.raises(HilumError) as refused:
            jobs.submit(facts, "ingest", {})
        assert refused.value.code is ErrorCode.UNAVAILABLE
    finally:
        holder.rollback()
        holder.close()
    assert jobs.submit(facts, "ingest", {}).job_id


def test_sqlite_is_durable_and_keeps_references(facts: Facts) -> None:
    with facts.read() as db:
        pragmas = {name: db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
        assert db.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
