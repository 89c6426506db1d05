"""The description of an archive: counts as pandas and plain SQL count, and planted trouble found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from sqlalchemy import text

from services.analytics import frame
from services.analytics.eda import fields, findings, people
from services.analytics.eda.asked import EdaAsked
from services.analytics.progress import Progress
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, open_facts, sides
from services.core.facts.sides import SideColumn, SideTable
from services.core.labels import Label, LabelState, merge
from services.core.types import ImageRecord
from tests.kit import analyses
from tests.kit.analyses import Made
from tests.kit.records import make_record, stored

STATES = [LabelState.PRESENT, LabelState.ABSENT, LabelState.UNCERTAIN]
FINDINGS, SOURCES = ["edema", "fracture", "no_finding"], ["chexpert", "reader"]


@st.composite
def films(draw: st.DrawFn) -> list[ImageRecord]:
    """Some films, of which much is unknown."""
    some = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))
    found = []
    for number in range(draw(st.integers(1, 25))):
        said = draw(
            st.dictionaries(st.tuples(st.sampled_from(FINDINGS), st.sampled_from(SOURCES)), st.sampled_from(STATES))
        )
        found.append(make_record(
            f"film-{number}", dataset=draw(st.sampled_from(["one", "two"])), patient_id=draw(some), study_id=draw(some),
            sex=draw(st.one_of(st.none(), st.sampled_from("MF"))), age=draw(st.one_of(st.none(), st.integers(-3, 130))),
            manufacturer=draw(st.one_of(st.just(""), some)),
            split=draw(st.one_of(st.none(), st.sampled_from(["train", "test"]))),
            study_date=draw(st.one_of(st.none(), st.sampled_from(["1931-02-03", "2012-01-01", "2012-06-01"]))),
            labels=[Label(name, state, source) for (name, source), state in said.items()],
        ))  # fmt: skip
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=films())
def test_every_count_is_what_pandas_counts(
    records: list[ImageRecord], tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts = open_facts(f"sqlite:///{tmp_path_factory.mktemp('eda') / 'facts.db'}")
    images.commit(facts, [stored(record) for record in records])
    known = frame.load(facts, "", [], EdaAsked.fields, Progress())
    with facts.engine.connect() as db:
        table = pd.read_sql("SELECT * FROM images ORDER BY image_id", db).replace("", None)
        said = pd.read_sql("SELECT * FROM labels", db)
    where = fields.sites(known)
    assert known.ids == table.image_id.tolist()
    for name in ("sex", "manufacturer", "split"):
        counts = fields.words(known, name, where)
        for row, site in enumerate(where.names):
            mine = table[table.dataset == site][name]
            expected = mine.value_counts().to_dict()
            assert dict(zip(counts.values, counts.films[row].tolist(), strict=True)) == {
                value: expected.get(value, 0) for value in counts.values
            }
            assert counts.missing[row] == mine.isna().sum()
    ages = fields.numbers(known, "age", where)
    for row, stated in enumerate([*(table[table.dataset == site].age for site in where.names), table.age]):
        mine = stated.astype(float).dropna()
        assert ages.films[row] == len(mine)
        assert np.allclose([ages.mean[row], ages.sd[row]], [mine.mean(), mine.std()], equal_nan=True)
        quartiles = mine.quantile(fields.QUARTILES) if len(mine) else np.full(5, np.nan)
        assert np.allclose(ages.quartiles[row], quartiles, equal_nan=True)
    assert ages.counts.sum() == table.age.notna().sum()
    years = fields.years(known, "study_date", where)
    assert dict(zip(years.values, years.films.sum(axis=0).tolist(), strict=True)) == Counter(
        table.study_date.dropna().str[:4]
    )
    _findings(known, where, table, said)
    _people(known, where, table)
    facts.close()


def _findings(known: frame.Frame, where: fields.Sites, table: pd.DataFrame, said: pd.DataFrame) -> None:
    found = findings.findings(known, where)
    order = ["absent", "present", "uncertain"]
    merged: dict[str, dict[str, str]] = {}
    for image_id, mine in said.groupby("image_id"):
        states = merge(
            [
                Label(r.name, LabelState(r.state), r.source)
                for r in mine[["name", "state", "source"]].itertuples(index=False)
            ]
        )
        merged[str(image_id)] = {name: state.value for name, state in states.items()}
    assert found.names == sorted(set(said.name))
    dataset = dict(zip(table.image_id, table.dataset, strict=True))
    for row, site in enumerate(where.names):
        for column, name in enumerate(found.names):
            each = Counter(m[name] for i, m in merged.items() if dataset[i] == site and name in m)
            assert found.states[row, column].tolist() == [each[state] for state in order]
    assert int(found.silent.sum()) == len(table) - len(merged)
    for source, states in found.sources.items():
        mine = said[said.source == source].groupby(["name", "state"]).size()
        for column, name in enumerate(found.names):
            assert states[column].tolist() == [mine.get((name, state), 0) for state in order]
    wide = said.pivot(index="image_id", columns=["name", "source"], values="state")
    for (name, one, other), crossed in found.crossed.items():
        pair = wide[name][[one, other]].dropna()
        assert np.array_equal(crossed, [[((pair[one] == a) & (pair[other] == b)).sum() for b in order] for a in order])
        if pair.nunique().max() > 1:
            expected = cohen_kappa_score(pair[one], pair[other], labels=order)
            assert findings.kappa(crossed) == pytest.approx(expected, abs=1e-9)
    for a, name in enumerate(found.names):
        for b, other in enumerate(found.names):
            mine = [m for m in merged.values() if m.get(name) == "present"]
            assert found.both[a, b] == sum(m.get(other) == "present" for m in mine)
            assert found.asked[a, b] == sum(other in m for m in mine)


def _people(known: frame.Frame, where: fields.Sites, table: pd.DataFrame) -> None:
    named = table[table.patient_id.notna()]
    crowd = people.people(known, where)
    assert sorted(crowd.films_of_patient) == sorted(named.groupby(["dataset", "patient_id"]).size())
    studied = named[named.study_id.notna()].groupby(["dataset", "patient_id"]).study_id.nunique()
    assert crowd.studies_of_patient.sum() >= studied.size  # a study of two patients counts for both
    assert sorted(crowd.films_of_study) == sorted(table[table.study_id.notna()].groupby(["dataset", "study_id"]).size())
    for field in ("split", "sex"):
        several = named[named[field].notna()].groupby(["dataset", "patient_id"])[field].agg(lambda v: sorted(set(v)))
        expected = several[several.map(len) > 1] if len(several) else several
        twice = people.twice(known, "patient_id", field)
        assert dict(zip(twice.who, twice.what, strict=True)) == expected.to_dict()
        inside = [(r.dataset, r.patient_id) in set(twice.who) for r in named.itertuples()]
        assert twice.films == sum(inside)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run over an archive with trouble planted."""
    home = tmp_path_factory.mktemp("trouble")
    facts = open_facts(f"sqlite:///{home / 'facts.db'}")
    records = [
        make_record(
            f"film-{n}", dataset=("one", "two")[n % 2], patient_id=f"p{n // 4}", study_id=f"s{n // 2}",
            sex="FM"[n // 4 % 2],
            age=float(30 + n % 50), study_date="2015-03-04", split="train", modality="DX", date_kind="real",
            labels=[Label("edema", STATES[n % 2], "chexpert"), Label("edema", STATES[n % 3 % 2], "reader"),
                    Label("covid", LabelState.PRESENT, "cohort")],
        )
        for n in range(120)
    ]  # fmt: skip
    for place, change in {
        0: {"split": "test"}, 9: {"age": 150.0}, 10: {"age": -1.0}, 20: {"study_date": "1901-01-01"},
        30: {"study_date": "2999-01-01"}, 41: {"sex": "O"}, 50: {"patient_id": None}, 61: {"study_id": "s35"},
        71: {"pixel_sha256": records[7].pixel_sha256}, 80: {"burned_in": "suspected"},
    }.items():  # fmt: skip
        old = {
            name: getattr(records[place], name)
            for name in ("patient_id", "study_id", "sex", "age", "study_date", "split")
        }
        records[place] = make_record(
            f"film-{place}", dataset=records[place].dataset, labels=records[place].labels,
            **{**old, "modality": "DX", "date_kind": "real", **change},
        )  # fmt: skip
    images.commit(facts, [stored(record) for record in records])
    columns = (
        SideColumn("income", "Income", "number"),
        SideColumn("ward", "Ward", "text"),
        SideColumn("none", "None", "text"),
    )
    table = SideTable("one", "sdoh", "patient", columns)
    cells = {
        f"p{n}": {"number": {"income": n * 1.5} if n % 3 else {}, "text": {"ward": "ab"[n % 2]}} for n in range(20)
    }
    sides.add(facts, table, [*cells.items(), ("p-of-nobody", {"number": {"income": 1e9}, "text": {}})])
    sides.finish(facts, table)
    yield_ = analyses.make(home, facts, None, eda={})  # type: ignore[arg-type]
    facts.close()
    return yield_


def test_what_looks_wrong_is_named(made: Made) -> None:
    warned = pq.read_table(made.folder / "warnings.parquet").to_pandas()
    who = {what: set(mine.who.dropna()) for what, mine in warned.groupby("what")}

    def found(begins: str) -> set[str]:
        return next(names for what, names in who.items() if begins in what)

    assert found("patients are in two splits") == {"one/p0"}
    assert found("patients have two sexes") == {"two/p10"}
    assert found("studies have two patients") == {"two/s35"}
    assert found("same pixels under two patients") == {"two/p1", "two/p17"}
    assert found("below 0 or above 110") == {
        make_record("film-9", "two").image_id,
        make_record("film-10", "one").image_id,
    }
    assert found("before 1970") == {make_record("film-20", "one").image_id}
    assert found("is to come") == {make_record("film-30", "one").image_id}
    assert "modality" in found("constant")
    assert {"race", "ethnicity", "institution"} <= found("empty")
    said = " ".join(who)
    assert "burned_in is suspected" in said
    assert "no patient is named" in said
    assert "covid is only ever stated present" in said
    assert "chexpert and reader hardly agree on edema" in said


def test_side_tables_are_counted_over_the_films_looked_at(made: Made) -> None:
    side = pq.read_table(made.folder / "sides.parquet").to_pandas().set_index("column")
    mine = [n for n in range(20) if n != 12]  # every patient of dataset one but those of whom there is no row
    rows = [n for n in mine if n < 20] + [12]
    income = pd.Series([n * 1.5 for n in rows if n % 3])
    assert side.rows.tolist() == [20, 20, 20]
    assert side.loc["income", "stated"] == len(income)
    assert side.loc["income", ["mean", "sd", "median"]].tolist() == pytest.approx(
        [income.mean(), income.std(), income.median()]
    )
    assert side.loc["income", "most"] < 1e6  # nobody's row is not looked at
    assert (side.loc["ward", "stated"], side.loc["ward", "distinct"]) == (20, 2)
    assert side.loc["none", "stated"] == 0


def test_its_run_is_whole_and_can_be_made_again(made: Made) -> None:
    told = made.json("manifest.json")
    assert (told["kind"], told["films"], told["models"]) == ("eda", 120, {})
    assert "k" not in told["asked"]
    assert told["asked"]["eda"] == {"no_sides": False}
    assert pq.read_table(made.folder / "sample.parquet").num_rows == 120  # where forgetting looks
    assert not (made.folder / "spill").exists()
    assert "What looks wrong" in made.report
    assert made.metrics["datasets"] == {"one": 60, "two": 60}
    fields_ = duckdb.read_parquet(str(made.folder / "fields.parquet"))  # noqa: F841
    total = duckdb.sql("SELECT sum(films) FROM fields_ WHERE field = 'sex'").fetchall()[0][0]
    assert total == 120


def test_a_description_needs_films_and_no_model(facts: Facts, tmp_path: Path) -> None:
    with pytest.raises(HilumError, match="0 films match") as caught:
        EdaAsked().check(facts)
    assert caught.value.code is ErrorCode.FAILED_PRECONDITION
    with pytest.raises(HilumError, match="no such cohort"):
        EdaAsked(filter='cohort = "nobody"').check(facts)
    assert EdaAsked.parse({"eda": {"no_sides": True}}).no_sides


@pytest.mark.databases
def test_both_databases_are_described_alike(facts: Facts, tmp_path: Path) -> None:
    records = [make_record(f"f{n}", patient_id=f"p{n // 2}", labels={"edema": "present"}, age=n) for n in range(8)]
    images.commit(facts, [stored(record) for record in records])
    columns = (SideColumn("income", "Income", "number"), SideColumn("ward", "Ward", "text"))
    table = SideTable("demo", "sdoh", "patient", columns)
    sides.add(
        facts, table, [("p1", {"number": {"income": 2}, "text": {"ward": 'a "b"'}}), ("p2", {"number": {}, "text": {}})]
    )
    sides.finish(facts, table)
    made = analyses.make(tmp_path, facts, None, eda={})  # type: ignore[arg-type]
    side = pq.read_table(made.folder / "sides.parquet").to_pandas().set_index("column")
    assert (side.loc["income", "mean"], side.loc["ward", "stated"], side.loc["ward", "rows"]) == (2.0, 1, 2)
    with facts.read() as db:
        assert made.metrics["films"] == db.scalar(text("SELECT count(*) FROM images"))
