"""Facts in PostgreSQL: what SQLite forgives and it does not, and machines that share it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, db, images, jobs, open_facts
from services.core.facts.schema import metadata
from services.core.store import VectorStore
from services.core.types import JobState, Outcome, Report
from services.engine.supervisor import EngineProcess
from services.ingest.claim import claimed
from services.ingest.stated import whole
from tests.kit.ingesting import room, write_pictures
from tests.kit.postgres import Server
from tests.kit.records import make_record, make_spec, stored

SPEC = make_spec()


@pytest.fixture
def shared(postgres: Server) -> Iterator[str]:
    """URL of a database that several machines share."""
    with postgres.database() as url:
        yield url


def test_migrations_run_up_down_and_up_and_make_the_declared_schema(postgres: Server) -> None:
    with postgres.database(empty=True) as url:
        facts = open_facts(url)
        config = Config()
        config.set_main_option("script_location", str(Path(db.__file__).parent / "migrations"))
        with facts.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
            command.upgrade(config, "head")
        with facts.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        facts.close()


def test_what_only_sqlite_would_store_is_made_storable(shared: str) -> None:
    facts = open_facts(shared)
    images.save_reports(facts, [Report("demo", "s-1", "findings", "left\0right")])
    assert images.reports_of(facts, "demo", "s-1") == {"findings": "left right"}
    assert whole("2147483647") == 2**31 - 1
    assert whole("999999999999999999999999999999999999999") is None
    facts.close()


def test_machines_that_write_the_same_films_at_once_never_block_each_other_for_good(shared: str) -> None:
    records = [make_record(f"film-{n}", labels={"edema": "present"}) for n in range(60)]
    failed = list[BaseException]()

    def write(order: int) -> None:
        machine = open_facts(shared)
        try:
            for _ in range(8):
                images.commit(machine, [stored(record, [SPEC]) for record in records[::order]])
        except BaseException as error:
            failed.append(error)
        finally:
            machine.close()

    threads = [threading.Thread(target=write, args=(order,)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    facts = open_facts(shared)
    assert images.get(facts, [r.image_id for r in records]) == {r.image_id: r for r in records}
    facts.close()


def test_a_dataset_belongs_to_one_machine_until_that_one_ends(shared: str, tmp_path: Path) -> None:
    one, other = open_facts(shared), open_facts(shared)

    def free(dataset: str) -> bool:
        with claimed(other, tmp_path / "other", dataset, lambda: True) as held:
            return held

    with claimed(one, tmp_path / "one", "demo", lambda: False) as held:
        assert held and not free("demo") and free("elsewhere")
    assert free("demo"), "a claim ends with its block, not with the pool of connections"
    with claimed(one, tmp_path / "one", "demo", lambda: False):
        with one.read() as connection:  # as when the machine is gone: the server ends its session
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        deadline = time.monotonic() + 10
        while not free("demo") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert free("demo")
    one.close()
    other.close()


def test_heartbeats_go_by_the_clock_that_machines_share(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = open_facts(shared)
    jobs.submit(facts, "ingest", {})
    assert jobs.take(facts, "ingest", "one") is not None
    monkeypatch.setattr(time, "time", lambda: 4e9)  # a machine whose clock is a century ahead
    assert jobs.take(facts, "ingest", "other") is None
    facts.close()


def test_a_server_that_is_not_there_is_unavailable_and_a_wrong_url_is_named() -> None:
    with pytest.raises(HilumError) as away:
        open_facts("postgresql://hilum:secret@127.0.0.1:1/hilum")
    assert away.value.code is ErrorCode.UNAVAILABLE and "secret" not in str(away.value)
    for url in ("mysql://host/name", "nonsense"):
        with pytest.raises(HilumError) as wrong:
            open_facts(url)
        assert wrong.value.code is ErrorCode.INVALID_ARGUMENT


@pytest.mark.databases
def test_an_ingest_from_one_end_to_the_other(
    tmp_path: Path, engine: EngineProcess, store: VectorStore, facts_url: str
) -> None:
    write_pictures(tmp_path / "films", 12)
    (tmp_path / "films" / "bad.png").write_bytes(b"no film")
    with room(tmp_path / "data", engine.url, facts_url=facts_url, workers=1) as opened:
        first = opened.ingest(tmp_path / "films")
        assert first.state is JobState.SUCCEEDED, first.error
        assert len(opened.everywhere()) == 12
        assert {item.outcome for item in opened.items(first)} == {Outcome.STORED, Outcome.QUARANTINED}
        again = opened.ingest(tmp_path / "films")
        assert (again.result["unchanged"], again.result["stored"]) == (12, 0)


def test_two_machines_take_turns_at_one_dataset(
    tmp_path: Path, engine: EngineProcess, store: VectorStore, shared: str
) -> None:
    write_pictures(tmp_path / "films", 20)
    with (
        room(tmp_path / "one", engine.url, facts_url=shared, workers=1) as one,
        room(tmp_path / "two", engine.url, facts_url=shared, workers=1) as two,
    ):
        submitted = [one.submit(tmp_path / "films"), one.submit(tmp_path / "films")]
        workers = [one.worker(), two.worker()]
        for worker in workers:
            worker.start()
        done = [one.wait(job.job_id) for job in submitted]
        for worker in workers:
            worker.stop()
        assert [job.state for job in done] == [JobState.SUCCEEDED] * 2
        assert sorted((job.result["stored"], job.result["unchanged"]) for job in done) == [(0, 20), (20, 0)]
        assert len(one.everywhere()) == 20


def test_facts_say_whether_machines_may_share_them(shared: str, facts: Facts) -> None:
    server = open_facts(shared)
    assert server.shared and not facts.shared
    server.close()
