"""Deleting films from facts in PostgreSQL: all that hangs on them, the tables written anew, the tombstones kept."""

from __future__ import annotations

import uuid

from sqlalchemy import Table

from services.core.facts import Facts, forgotten, images, jobs, open_facts, removal, reports
from services.core.facts.schema import densities, marks, members, searches, sets
from services.core.types import JobItem, Outcome, Report, ReportKey
from tests.kit.postgres import Server
from tests.kit.records import make_record, make_spec, stored


def test_films_go_with_all_that_hangs_on_them(postgres: Server) -> None:
    with postgres.database() as url:
        facts = open_facts(url)
        films = [
            make_record(f"f{n}", patient_id="p-1" if n < 2 else "p-2", study_id=f"s-{n}", labels={"edema": "present"})
            for n in range(4)
        ]
        images.commit(facts, [stored(film, [make_spec()]) for film in films])
        images.save_reports(facts, [Report("demo", f"s-{n}", "findings", "text") for n in range(4)])
        job = jobs.submit(facts, "ingest", {"where": "of p-1 alone", "seed": 1})
        kept = jobs.submit(facts, "ingest", {"where": "of p-11"})
        items = [JobItem(f"f-{n}", Outcome.STORED, film.image_id) for n, film in enumerate(films)]
        jobs.record_items(facts, kept.job_id, items)
        _hang(facts, [film.image_id for film in films])
        gone = removal.films_of(facts, "demo", {"p-1"})
        ids, studies = {film.image_id for film in gone}, {str(film.study_id) for film in gone}
        assert ids == {film.image_id for film in films[:2]}

        assert removal.naming(facts, removal.words({"p-1"})) == {job.job_id}
        assert removal.delete_work(facts, {job.job_id, str(uuid.uuid4())}) == 1
        counts = removal.delete_films(facts, "demo", ids, studies)
        assert counts == {
            "films": 2, "labels": 2, "boxes": 0, "ledger": 2, "job items": 2, "reports": 2, "members": 2,
            "densities": 2, "marks": 2, "films of reader studies": 0, "indexed reports": 4, "side rows": 0,
            "sets of labels": 0,
        }  # fmt: skip
        facts.scrub()
        assert set(removal.left(facts, "demo", ids, studies).values()) == {0}
        assert images.ids_of(facts) == {film.image_id for film in films[2:]}
        assert images.reports_of(facts, "demo", "s-3") and reports.begun(facts, "demo", "bm25")
        assert [section.indexed for section in reports.page(facts, "demo", "bm25", None, 9)] == ["d", "d"]
        forgotten.remember(facts, {"a" * 64})
        forgotten.remember(facts, {"a" * 64, "b" * 64})
        assert forgotten.withdrawn(facts, {"a" * 64, "c" * 64}) == {"a" * 64}
        facts.close()


def _hang(facts: Facts, ids: list[str]) -> None:
    """What search keeps of films: sets, densities, marks, and that their reports are indexed."""
    with facts.write() as db:
        for table in (sets, searches):
            db.execute(table.insert(), [_row(table)])
        for table in (members, densities, marks):
            db.execute(table.insert(), [_row(table, image_id=image_id) for image_id in ids])
    for index in ("bm25", "f"):
        reports.hold(facts, index, [(ReportKey("demo", f"s-{n}", "findings"), "d") for n in range(4)])


def _row(table: Table, **given: object) -> dict[str, object]:
    """A row with something in every column that must have it."""
    some = {str: "x", int: 1, float: 0.5, object: {}}  # object: of JSON
    needed = [column for column in table.columns if not column.nullable]
    return {column.name: given.get(column.name, some[column.type.python_type]) for column in needed}
