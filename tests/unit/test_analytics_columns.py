"""Facts as columns: the same as SQLAlchemy's rows, on both databases, whatever texts hold."""

from __future__ import annotations

import pyarrow as pa
import pytest
from sqlalchemy import String, literal_column, select

from services.analytics import columns
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, sets, sides
from services.core.facts.schema import images as films
from services.core.facts.schema import labels
from services.core.facts.sides import SideColumn, SideTable
from services.core.filters import parse, to_sql
from tests.kit.records import make_record, stored

pytestmark = pytest.mark.databases
NASTY = (
    'comma, "quote"',
    "tab\tand\nline\r\nend",
    "\\N",
    "NULL",
    "",
    " ",
    "naïve 胸部",
    "'; drop table images; --",
    "%s ?",
)


def fill(facts: Facts) -> None:
    images.commit(facts, [
        stored(make_record(
            f"film-{n}", patient_id=f"p{n // 2}", manufacturer=text, age=None if n % 3 else n + 0.25,
            study_order=None if n % 2 else n, age_binned=(None, True, False)[n % 3],
            institution=None if n % 2 else text,
            labels={"edema": ("present", "absent")[n % 2]},
        ))
        for n, text in enumerate(NASTY)
    ])  # fmt: skip


def test_columns_are_what_rows_are(facts: Facts) -> None:
    fill(facts)
    query = select(
        films.c.image_id, films.c.manufacturer, films.c.institution, films.c.ethnicity, films.c.age,
        films.c.study_order,
        films.c.age_binned, films.c.rows, films.c.profile,
    ).order_by(films.c.image_id)  # fmt: skip
    table = columns.read(facts, query)
    with facts.read() as db:
        rows = [tuple(row) for row in db.execute(query)]
    assert list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True)) == rows
    assert table.schema.field("age").type == pa.float64()
    assert table.schema.field("ethnicity").type == pa.string()  # though all of it is null
    assert table.schema.field("age_binned").type == pa.bool_()


def test_every_filter_reaches_the_database(facts: Facts) -> None:
    fill(facts)
    ids = sorted(images.ids_of(facts))
    sets.create(facts, "some", sets.COHORT, "", {}, ids[:4])
    table = SideTable("demo", "sdoh", "patient", (SideColumn("income", "Income", "number"),))
    sides.add(
        facts, table, [("p0", {"number": {"income": 5.5}, "text": {}}), ("p1", {"number": {"income": 1.0}, "text": {}})]
    )
    sides.finish(facts, table)
    for where in (
        'cohort = "some"', "side.sdoh.income >= 3", "labels.edema = present", f"manufacturer = \"{NASTY[7]}\"",
        'age >= 3.5 AND NOT age_binned = "yes"', f'image_id = "{ids[0]}" OR image_id = "{ids[1]}"', 'dataset = "none"',
    ):  # fmt: skip
        query = select(films.c.image_id).where(to_sql(parse(where))).order_by(films.c.image_id)
        with facts.read() as db:
            expected = list(db.scalars(query))
        assert columns.read(facts, query)["image_id"].to_pylist() == expected, where
        assert bool(expected) == ("none" not in where)


def test_many_batches_are_one_table(facts: Facts) -> None:
    fill(facts)
    same = {"source": "s", "state": "present", "level": "image", "implicit": False}
    said = [{"image_id": i, "name": f"finding_{n}", **same}
            for i in sorted(images.ids_of(facts)) for n in range(4_000)]  # fmt: skip
    with facts.write() as db:
        db.execute(labels.insert(), said)
    query = select(labels.c.image_id, labels.c.name).where(labels.c.source == "s")
    found = list(columns.batches(facts, query))
    assert len(found) > 1
    pairs = {pair for part in found for pair in zip(*(c.to_pylist() for c in part.columns), strict=True)}
    assert pairs == {(row["image_id"], row["name"]) for row in said}


def test_a_database_that_does_not_answer_is_said_to_be_away_and_names_nobody(
    facts: Facts, capfd: pytest.CaptureFixture[str]
) -> None:
    if facts.shared:
        pytest.skip("PostgreSQL is asked over the connection that every other question goes over")
    nowhere = select(films.c.image_id, literal_column("no_such_column", String)).where(films.c.patient_id == "p-secret")
    with pytest.raises(HilumError) as caught:
        columns.read(facts, nowhere)
    assert caught.value.code is ErrorCode.UNAVAILABLE
    told = capfd.readouterr().err
    assert "reading facts failed" in told
    assert "secret" not in told and "column" not in told
