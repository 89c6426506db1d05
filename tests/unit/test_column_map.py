"""A dataset without a published layout: its column map, proposed and read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.ids import image_id
from services.ingest.sources.mapped import read_map
from services.ingest.sources.propose import propose
from services.ingest.sources.source import Source, open_source
from tests.kit.published import picture, write

MAP = """
films: [.png]
table: tables/films.csv
key: File Name
columns: {patient_id: Pat, study_id: Exam, view: Projection, sex: Gender, age: Years, manufacturer: Maker}
join:
  - {table: tables/labels.parquet, by: Exam, prefix: lab}
labels:
  - {source: reader, level: study, columns: {Edema: lab.edema, Pleural Effusion: lab.eff}}
  - {source: text, listed: Tags, separator: ";", universe: [Fracture, Hernia]}
reports: {study: Exam, sections: {findings: Text, impression: lab.imp}}
constants: {licence: CC BY 4.0, modality: CR}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/one.png", "a/two.png", "b/three.png"):
        picture(tmp_path / name, len(name))
    write(tmp_path / "tables/films.csv",
        "File Name,Pat,Exam,Projection,Gender,Years,Maker,Tags,Text,Secret\n"
        'a\\one.png,007,E1,PA,F,61,ACME,Fracture;Mass,"Clear, with\na line break",Jane Roe\n'
        "two.png,007,E1,LL,female,061Y,,No Finding,,Jane Roe\nthree,008,E2,,M,414,ACME,,Edema.,John Doe\n")  # fmt: skip
    schema = pa.schema([("Exam", "string"), ("edema", "int64"), ("eff", "float64"), ("imp", "string")])
    table = pa.table({"Exam": ["E1"], "edema": [1], "eff": [None], "imp": ["No change."]}, schema=schema)
    pq.write_table(table, tmp_path / "tables/labels.parquet")
    write(tmp_path / "map.yaml", MAP)
    return tmp_path


def opened(root: Path, text: str | None = None) -> Source:
    if text is not None:
        write(root / "map.yaml", text)
    return open_source(root, "auto", "", "", lambda key: image_id("demo", key), "", str(root / "map.yaml"))


def test_films_are_found_by_path_by_name_and_by_stem(root: Path) -> None:
    source = opened(root)
    names = [film.name for film in source.films()]
    assert names == ["a/one.png", "a/two.png", "b/three.png"] and not source.keep_ids
    first, second, third = (row for row in source.find(names) if row)
    assert (first.stated.patient_id, first.stated.view, first.stated.manufacturer) == ("007", "PA", "ACME")
    assert (second.stated.view, second.stated.sex, second.stated.age) == ("LATERAL", "F", 61)
    assert third.stated.age is None and third.stated.view is None
    said = {(x.source, x.level, x.name): (x.state.value, x.implicit) for x in first.stated.labels or ()}
    assert said == {
        ("reader", "study", "edema"): ("present", False),
        ("text", "image", "fracture"): ("present", False), ("text", "image", "mass"): ("present", False),
        ("text", "image", "hernia"): ("absent", True),
    }  # fmt: skip
    assert {x.name for x in third.stated.labels or ()} == set(), "a blank list says nothing, not: nothing found"
    assert dict(source.reports()) == {
        "E1": {"findings": "Clear, with\na line break", "impression": "No change."}, "E2": {"findings": "Edema."},
    }  # fmt: skip
    assert "Roe" not in repr((first, second, third))


@pytest.mark.parametrize(("text", "said"), [
    ("films: [", "cannot be read"), ("- a", "no table of settings"), ("table: x.csv", "needs key"),
    ("table: x.csv\nkey: k\nfrobnicate: 1", "frobnicate"), ("table: t\nkey: k\ncolumns: {shoe: size}", "shoe"),
    ("table: t\nkey: k\ndate_kind: lunar", "date_kind"),
    ("table: t\nkey: k\nlabels: [{level: galaxy, columns: {}}]", "level"),
    ("table: t\nkey: k\njoin: [{table: x}]", "lacks an entry"),
    ("table: t\nkey: k\nreports: {study: s, sections: {joke: x}}", "joke"),
    ("!!python/object/apply:os.system ['true']", "cannot be read"),
])  # fmt: skip
def test_a_wrong_map_is_refused_saying_what(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(HilumError, match=said) as caught:
        read_map(write(tmp_path / "map.yaml", text))
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT


def test_a_column_cannot_carry_sql(root: Path) -> None:
    with pytest.raises(HilumError, match="lacks the columns"):
        opened(root, MAP.replace("key: File Name", """key: 'File Name" FROM films; DROP TABLE films; --'"""))


def test_a_join_that_would_double_films_is_refused(root: Path) -> None:
    table = pa.table({"Exam": ["E1", "E1"], "edema": [1, 0], "eff": [0.0, 0.0], "imp": ["", ""]})
    pq.write_table(table, root / "tables/labels.parquet")
    with pytest.raises(HilumError, match="names 1 rows twice"):
        opened(root)


def test_a_proposal_can_be_read_as_it_stands(tmp_path: Path) -> None:
    for name in ("x/one.png", "x/two.png"):
        picture(tmp_path / name, len(name))
    write(tmp_path / "other.csv", "Patient ID,Sex,Age,ViewPosition,Edema,Fracture\n1,F,2,PA,1,0\n")
    write(tmp_path / "films.csv",
        "Image Index,Patient ID,Gender,Edema,Pleural Effusion,Fracture,Nonsense,Finding Labels,study_id,impression\n"
        "one.png,1,F,1,,-1,x,Edema|Mass,s1,Clear.\ntwo.png,2,M,0,1,maybe so,y,No Finding,s2,\n")  # fmt: skip
    proposed = propose(tmp_path)
    assert "universe: [" in proposed, "whoever lists what there is must learn how to say what there is not"
    assert "films.csv" in proposed and "not used: Fracture, Nonsense" in proposed, "a column of prose is no finding"
    source = opened(tmp_path, proposed)
    first, second = source.find([film.name for film in source.films()])
    assert first and second and first.stated.sex == "F"
    assert {x.name: x.state.value for x in first.stated.labels or ()} == {"edema": "present", "mass": "present"}
    assert {x.name: x.state.value for x in second.stated.labels or ()} == {
        "edema": "absent", "pleural_effusion": "present", "no_finding": "present",
    }  # fmt: skip
    assert dict(source.reports()) == {"s1": {"impression": "Clear."}}
