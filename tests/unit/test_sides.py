"""Side tables: cells as they came, under the archive's own ids, and no column that identifies people."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, removal, sides
from services.core.facts.schema import images as films
from services.core.facts.schema import side_rows
from services.core.filters import check, parse, to_sql
from services.core.types import JobProgress
from services.ingest.records import Identities
from services.ingest.sides import SidePlan, Stored, store
from tests.kit.records import make_record, stored

SECRET = b"s" * 32
PEOPLE = ["p1", "p2", "p3", "007"]


def archive(facts: Facts, keep_ids: bool) -> None:
    """Two films of each person, each of a study of its own."""
    who = Identities("emory", SECRET, keep_ids)
    records = [
        make_record(
            f"{person}-{n}",
            "emory",
            patient_id=who.person("patient", person),
            study_id=who.person("study", f"{person}-s{n}"),
        )
        for person in PEOPLE
        for n in range(2)
    ]
    images.commit(facts, list(map(stored, records)))


def added(facts: Facts, source: Path, *columns: str, name: str = "sdoh", **options: object) -> Stored:
    plan = SidePlan(source, "emory", name, columns or ("*",), **options)  # type: ignore[arg-type]
    *progress, done = store(facts, SECRET, plan)
    assert all(isinstance(item, JobProgress) for item in progress)
    assert isinstance(done, Stored)
    return done


def csv(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def people(facts: Facts, text: str, keep_ids: bool = True) -> list[str]:
    """Whose films a filter selects."""
    expr = parse(text)
    check(expr, facts)
    who = Identities("emory", SECRET, keep_ids)
    names = {who.person("patient", person): person for person in PEOPLE}
    with facts.read() as db:
        return sorted(names[str(one)] for one in db.scalars(select(films.c.patient_id).where(to_sql(expr)).distinct()))


def code_of(call: object) -> ErrorCode:
    with pytest.raises(HilumError) as raised:
        call()  # type: ignore[operator]
    return raised.value.code


TABLE = """Patient_ID,Median Income ($),State,ZIP Code,adi rank,first_name
p1,41000.5,GA,01234,3,Ann
p2,NA,AL,30322,10,Bob
007,-1e3,,30322,,Eve
stranger,7,GA,11111,5,Zed
"""


@pytest.mark.databases
@pytest.mark.parametrize("keep_ids", [True, False])
def test_cells_are_kept_as_they_came_and_filter_films(facts: Facts, tmp_path: Path, keep_ids: bool) -> None:
    archive(facts, keep_ids)
    done = added(facts, csv(tmp_path, TABLE), "median_income", "State", "zip_code", "adi*")
    assert (done.table.level, done.table.rows, done.strangers, done.refused) == ("patient", 3, 1, ())
    assert {c.name: (c.title, c.kind) for c in done.table.columns} == {
        "median_income": ("Median Income ($)", "number"),
        "state": ("State", "text"),
        "zip_code": ("ZIP Code", "text"),  # a leading zero is a code's
        "adi_rank": ("adi rank", "number"),
    }
    for text, wanted in {
        "side.sdoh.median_income >= 41000": ["p1"],
        "side.sdoh.median_income < 0": ["007"],
        "side.sdoh.median_income:*": ["007", "p1"],
        "NOT side.sdoh.median_income:*": ["p2", "p3"],
        'side.sdoh."Median Income ($)" = 41000.5': ["p1"],
        'side.sdoh.zip_code = "01234"': ["p1"],
        'side.sdoh.state != "GA"': ["p2"],  # of 007 nobody knows it
        'NOT side.sdoh.state = "GA"': ["007", "p2", "p3"],
        "side.sdoh.adi_rank > 3 OR side.sdoh.median_income = -1000": ["007", "p2"],
    }.items():
        assert people(facts, text, keep_ids) == wanted, text
    with facts.read() as db:
        kept = str(db.execute(select(side_rows)).all())
    assert "Ann" not in kept and "stranger" not in kept and "11111" not in kept
    assert ("p1" in kept) is keep_ids


def test_films_and_studies_have_cells_of_their_own(facts: Facts, tmp_path: Path) -> None:
    archive(facts, keep_ids=False)
    one = added(facts, csv(tmp_path, "image_id,dose\np1-0,5\np1-1,6\n"), "dose", name="dose")
    assert (one.table.level, one.table.rows) == ("image", 2)
    parts = csv(tmp_path, "empi,acc,ward\np1,s0,ICU\np2,s1,ER\n", "u.csv")
    study = added(facts, parts, "ward", name="stay", level="study", key=("empi", "acc"))
    assert (study.table.level, study.table.rows) == ("study", 2)
    with facts.read() as db:
        both = to_sql(parse('side.dose.dose <= 5 AND side.stay.ward = "ICU"'))
        assert len(list(db.scalars(select(films.c.image_id).where(both)))) == 1


def test_parquet_and_gzip_are_tables_too(facts: Facts, tmp_path: Path) -> None:
    archive(facts, keep_ids=True)
    columns = {"patient_id": ["p1", "p2", "p3"], "bmi": [21.5, None, float("nan")], "smokes": [True, False, None]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    done = added(facts, tmp_path / "t.parquet", "*")
    assert {c.name: c.kind for c in done.table.columns} == {"bmi": "number", "smokes": "text"}
    assert people(facts, 'side.sdoh.smokes = "true" AND side.sdoh.bmi < 22') == ["p1"]
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write("patient_id,bmi\np3,30\n")
    assert added(facts, tmp_path / "t.csv.gz", "bmi").table.rows == 1
    assert people(facts, "side.sdoh.bmi:*") == ["p3"]  # the table is replaced as a whole


IDENTIFYING = (
    "First Name", "patientname", "MRN", "SSN", "E-Mail", "street_address", "Home Phone", "date_of_birth", "lat", "empi",
)  # fmt: skip


def test_columns_that_identify_people_are_refused(facts: Facts, tmp_path: Path) -> None:
    archive(facts, keep_ids=True)
    for column in IDENTIFYING:
        table = csv(tmp_path, f"patient_id,{column},income\np1,x,3\n")
        assert code_of(lambda table=table, column=column: added(facts, table, column)) is ErrorCode.INVALID_ARGUMENT
        assert sides.listed(facts) == []
    done = added(facts, table, "*")
    assert [c.name for c in done.table.columns] == ["income"] and len(done.refused) == 2  # and the ids themselves


def test_a_pattern_never_takes_what_may_identify_people(facts: Facts, tmp_path: Path) -> None:
    archive(facts, keep_ids=True)
    table = csv(tmp_path, "patient_id,zip_code,county_fips,income\np1,30322,13089,3\n")
    assert added(facts, table, "*").refused == ("patient_id", "zip_code", "county_fips")
    assert [c.name for c in added(facts, table, "zip_code").table.columns] == ["zip_code"]


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("patient_id,a\np1,1\np1,2\n", {}, ErrorCode.INVALID_ARGUMENT),  # two rows of one patient
        ("nobody,a\np1,1\n", {}, ErrorCode.INVALID_ARGUMENT),
        ("patient_id,a\nq,1\n", {}, ErrorCode.NOT_FOUND),
        ("patient_id,a\np1,1\n", {"key": ("b",), "level": "patient"}, ErrorCode.INVALID_ARGUMENT),
        ("patient_id,a\np1,1\n", {"key": ("a",)}, ErrorCode.INVALID_ARGUMENT),
        ("patient_id,a\np1,1\n", {"level": "ward"}, ErrorCode.INVALID_ARGUMENT),
        ("patient_id,a\np1,1\n", {"name": "S DOH"}, ErrorCode.INVALID_ARGUMENT),
        ("patient_id,a b,a.b\np1,1,2\n", {}, ErrorCode.INVALID_ARGUMENT),
        (f"patient_id,a\np1,{'x' * 300}\n", {}, ErrorCode.INVALID_ARGUMENT),  # free text
        ("patient_id,b\np1,1\n", {}, ErrorCode.INVALID_ARGUMENT),
        ("", {}, ErrorCode.INVALID_ARGUMENT),
    ],
)
def test_tables_that_cannot_be_kept(
    facts: Facts, tmp_path: Path, text: str, options: dict[str, object], code: ErrorCode
) -> None:
    archive(facts, keep_ids=True)
    columns = ("a", "a_b") if "a b" in text else ("a",)
    assert code_of(lambda: added(facts, csv(tmp_path, text), *columns, **options)) is code  # type: ignore[arg-type]
    assert sides.listed(facts) == []


def test_rows_that_say_the_same_twice_are_one(facts: Facts, tmp_path: Path) -> None:
    archive(facts, keep_ids=True)
    assert added(facts, csv(tmp_path, "patient_id,a\np1, 1\np1,1\n"), "a").table.rows == 1


def test_text_can_be_insisted_on(facts: Facts, tmp_path: Path) -> None:
    archive(facts, keep_ids=True)
    table = csv(tmp_path, "patient_id,code\np1,30322\n")
    assert added(facts, table, "code", text=("Code",)).table.columns[0].kind == "text"
    assert people(facts, 'side.sdoh.code = "30322"') == ["p1"]


def test_one_name_means_one_thing_in_all_datasets(facts: Facts, tmp_path: Path) -> None:
    archive(facts, keep_ids=True)
    images.commit(facts, [stored(make_record("x", "mimic", patient_id="p1"))])
    added(facts, csv(tmp_path, "patient_id,a\np1,1\n"), "a")
    other = csv(tmp_path, "patient_id,a\np1,high\n", "o.csv")
    plan = SidePlan(other, "mimic", "sdoh", ("a",))
    assert code_of(lambda: list(store(facts, SECRET, plan))) is ErrorCode.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("side.sodh.income > 3", "there are: sdoh"),
        ("side.sdoh.incom > 3", "did you mean side.sdoh.income?"),
        ('side.sdoh.income = "3"', "holds numbers"),
        ("side.sdoh.state = 3", "holds text"),
    ],
)
def test_what_no_table_has_is_refused(facts: Facts, tmp_path: Path, text: str, said: str) -> None:
    archive(facts, keep_ids=True)
    added(facts, csv(tmp_path, "patient_id,income,state\np1,1,GA\n"), "income", "state")
    with pytest.raises(HilumError) as refused:
        check(parse(text), facts)
    assert refused.value.code is ErrorCode.INVALID_FILTER
    assert said in refused.value.client_message


def test_a_forgotten_patient_leaves_no_row(facts: Facts, tmp_path: Path) -> None:
    archive(facts, keep_ids=True)
    added(facts, csv(tmp_path, "patient_id,a\np1,1\np2,2\n"), "a")
    theirs = {film.image_id for film in removal.films_of(facts, "emory", ["p1"])}
    gone = removal.delete_films(facts, "emory", theirs, [])
    assert gone["side rows"] == 1
    assert removal.left(facts, "emory", theirs, [])["side rows"] == 0
    assert people(facts, "side.sdoh.a:*") == ["p2"]
