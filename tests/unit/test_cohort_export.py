"""Exports of cohorts: what each format says, that it says it the same each time, and that nothing in it runs."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies
from PIL import Image

from services.analytics.cohort.export import methods, words
from services.analytics.cohort.export.bundle import FORMATS, Bundle, Present, chosen
from services.analytics.cohort.export.csv_file import column, safe, write
from services.analytics.cohort.export.frozen import Frozen
from services.analytics.cohort.export.part import Part
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import images, open_facts, removal
from tests.kit import cohorts
from tests.kit.cohorts import CREDENTIALED, FORMULA, HTML, film, frozen, keep

FILMS = 12


class Kept:
    """One archive for the module, and its export in all formats."""

    def __init__(self, home: Path) -> None:
        self.home, self.facts = home, open_facts(f"sqlite:///{home / 'facts.db'}")
        self.blobs = Blobs(home / "blobs")
        films = [film(number) for number in range(FILMS - 2)]
        films.append(film(10, dataset="own", licence=None, device=FORMULA, institution=HTML, attribution="@SUM(1)"))
        films.append(film(11, dataset="own", patient_id=None, study_date=None, burned_in="suspected", licence="CC0"))
        self.ids = keep(self.facts, self.blobs, films)
        self.films = {one.image_id: one for one in films}
        self.frozen = frozen(self.ids, title=HTML)
        self.files = cohorts.written(self.bundle(), home / "out")

    def bundle(self, formats: tuple[str, ...] = FORMATS, right: str = "", of: Frozen | None = None) -> Bundle:
        return Bundle(of or self.frozen, self.facts, self.blobs, formats, right)

    def rows(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.files[name].decode())))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("export"))


def test_every_format_is_there_and_the_same_bytes_again(kept: Kept, tmp_path: Path) -> None:
    assert set(kept.files) >= {
        "export.json", "spec.json", "manifest.json", "licences.csv", "films.csv", "labels.csv", "films.parquet",
        "labels.parquet", "ids.txt", "attrition.csv", "table1.csv", "omop/cohort.csv", "omop/cohort_definition.csv",
        "omop/subject_map.csv", "omop/MAPPING.md", "METHODS.md", "METHODS.txt", "croissant.json", "pictures.csv",
        "README.md",
    }  # fmt: skip
    assert cohorts.written(kept.bundle(), tmp_path) == kept.files


def test_tables_say_what_the_archive_says(kept: Kept) -> None:
    rows = {row["image_id"]: row for row in kept.rows("films.csv")}
    assert list(rows) == kept.ids == kept.files["ids.txt"].decode().split()
    for image_id, one in kept.films.items():
        row = rows[image_id]
        assert row["dataset"] == one.dataset
        assert row["patient_id"] == (one.patient_id or "")
        assert float(row["age"]) == one.age
        assert row["labels.edema"] == one.labels[0].state.value
        assert row["bytes_sha256"] == one.bytes_sha256
    assert [row["cohort.split"] for row in rows.values()] == kept.frozen.films["split"].to_pylist()
    said = kept.rows("labels.csv")
    assert [(row["image_id"], row["finding"], row["source"], row["implicit"]) for row in said] == [
        (image_id, "edema", "table", "no") for image_id in kept.ids
    ]


def test_parquet_has_texts_as_they_are(kept: Kept) -> None:
    table = pq.read_table(io.BytesIO(kept.files["films.parquet"])).to_pydict()
    assert table["image_id"] == kept.ids
    assert FORMULA in table["device"] and HTML in table["institution"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "  '=1"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
        ("＝1", "'＝1"),
        ("a;=cmd()", "a;'=cmd()"),
        ('x"=cmd()', 'x"' + "'=cmd()"),
        ("\0=1", " '=1"),
        ("2020-01-01", "2020-01-01"),
        ("s-1", "s-1"),
        ("CC BY-NC 4.0", "CC BY-NC 4.0"),
        ("", ""),
    ],
)
def test_no_text_is_a_formula(text: str, written: str) -> None:
    assert safe(text) == written


NASTY = [
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1", "\n=1+1", "a;=1+1", "a\t=1+1", 'x"=1+1', '"=1+1"',
    'x","=1+1', 'x";"=1+1', " =1+1", "\u00a0=1+1", "＝1+1", "a\n=1+1", "a|=1+1", "=cmd|' /C calc'!A0", "a,=1+1",
    'a;"=1+1"', "a ; =1",
]  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_whatever_a_spreadsheet_takes_for_separator_no_cell_is_a_formula(separator: str) -> None:
    small, whole = io.BytesIO(), io.BytesIO()
    write(small, ["a", "b"], [(text, text) for text in NASTY])
    columns = [column(pa.chunked_array([pa.array(NASTY)])) for _ in range(2)]
    pyarrow.csv.write_csv(pa.table(columns, names=["a", "b"]), whole)
    for made in (small, whole):
        for row in csv.reader(io.StringIO(made.getvalue().decode(), newline=""), delimiter=separator):
            assert not [cell for cell in row if cell.strip(' "\xa0\r\n\t')[:1] in tuple("=+-@＝")], row


@given(
    strategies.lists(strategies.text(strategies.sampled_from("=+-@＝a1 ;,|\t\r\n\"'\0\x0b\x85\xa0\u2003")), min_size=1)
)
def test_whole_columns_are_made_safe_as_single_texts_are(texts: list[str]) -> None:
    assert column(pa.chunked_array([pa.array(texts, pa.string())])).to_pylist() == [safe(text) for text in texts]


def test_no_cell_of_any_csv_begins_a_formula(kept: Kept) -> None:
    found = [name for name in kept.files if name.endswith(".csv")]
    assert len(found) >= 8
    for name in found:
        for row in csv.reader(io.StringIO(kept.files[name].decode())):
            for cell in row:
                number = re.fullmatch(r"-?\d+(\.\d+)?", cell)
                assert number or cell.lstrip()[:1] not in tuple("=+-@"), (name, cell)
    assert f"'{FORMULA}" in [row["device"] for row in kept.rows("films.csv")]


def test_markup_of_others_is_text_in_our_documents(kept: Kept) -> None:
    for name in ("README.md", "METHODS.md", "omop/MAPPING.md"):
        assert "<script" not in kept.files[name].decode() and "<img" not in kept.files[name].decode()
    assert words.code("a`b``c") == "```a`b``c```"
    assert words.markdown("[x](javascript:1)\n# a|b") == r"\[x\]\(javascript:1\) \# a\|b"
    assert HTML in json.loads(kept.files["spec.json"])["title"]


def test_names_of_files_lead_nowhere_else() -> None:
    for name in ("../x", "/etc/x", "a/../x", "a/b/c", ".hidden", "a\\..\\b", "a\0b", "", "a/.b", "C:x", "x" * 300):
        with pytest.raises(HilumError):
            Part(name, "", lambda file: None)


def test_omop_tables_hold_their_rules(kept: Kept) -> None:
    cohort, people = kept.rows("omop/cohort.csv"), kept.rows("omop/subject_map.csv")
    assert [*cohort[0]] == ["cohort_definition_id", "subject_id", "cohort_start_date", "cohort_end_date"]
    named = {(one.dataset, one.patient_id) for one in kept.films.values() if one.patient_id}
    assert {(row["dataset"], row["patient_id"]) for row in people} == named
    assert [int(row["subject_id"]) for row in people] == list(range(1, len(named) + 1))
    assert len({row["cohort_definition_id"] for row in cohort}) == 1
    assert 0 < int(cohort[0]["cohort_definition_id"]) < 2**31
    who = {row["subject_id"]: (row["dataset"], row["patient_id"]) for row in people}
    for row in cohort:
        days = sorted(
            one.study_date for one in kept.films.values() if (one.dataset, one.patient_id) == who[row["subject_id"]]
        )
        assert [row["cohort_start_date"], row["cohort_end_date"]] == [days[0], days[-1]]
    note = kept.files["omop/MAPPING.md"].decode()
    assert "no integers" in note and "shifted 11" in note and "Films without a patient, in neither: 1" in note


def test_methods_have_the_cohorts_own_numbers_and_no_others(kept: Kept) -> None:
    text = kept.files["METHODS.txt"].decode()
    assert "24 films of 24 studies of 12 patients" in text
    assert "adults (age >= 18), to be included: 12 films of 12 studies of 6 patients were removed" in text
    assert "test 3 films, train 9 films" in text and "seed of everything drawn was 7" in text
    assert kept.frozen.ids_sha256 in text and "f" * 64 in text and kept.frozen.run_id in text
    assert "no medical device" in text
    known = {"24", "12", "6", "1", "18", "3", "9", "7", "2026", "01", "02", "0.1.0", "3.11"}
    rest = text.replace(kept.frozen.ids_sha256, "").replace("f" * 64, "").replace(kept.frozen.run_id, "")
    rest = rest.replace(HTML, "").replace("SHA-256", "")
    assert set(re.findall(r"\d+(?:\.\d+)*", rest)) <= known
    marked = kept.files["METHODS.md"].decode()
    assert "`age >= 18`" in marked


def test_pictures_are_those_that_may_be_handed_on(kept: Kept) -> None:
    shown = {name.removeprefix("pictures/")[:-4] for name in kept.files if name.startswith("pictures/")}
    free = {i for i, one in kept.films.items() if one.licence == "CC BY 4.0"}
    assert shown == free and len(free) < FILMS
    rows = kept.rows("pictures.csv")
    assert Counter(row["left_out"] for row in rows) == {
        "": len(free), "licence: handing on forbidden": 2, "licence: handing on not stated": 1,
        "writing in the picture": 1,
    }  # fmt: skip
    readme = kept.files["README.md"].decode()
    assert "left out, licence: handing on forbidden: 2 films" in readme and "at most 512 pixels" in readme
    with Image.open(io.BytesIO(kept.files[f"pictures/{min(free)}.jpg"])) as one:
        assert (one.format, one.mode, one.size) == ("JPEG", "L", (64, 48))
        assert not one.getexif() and "comment" not in one.info


def test_a_right_in_words_lets_pictures_in_and_is_repeated(kept: Kept, tmp_path: Path) -> None:
    files = cohorts.written(kept.bundle(("jpg",), right="own films,\nvote 12"), tmp_path)
    shown = [name for name in files if name.startswith("pictures/")]
    assert len(shown) == FILMS - 1  # writing in the picture stays out, whatever right there is
    assert "own films, vote 12" in files["README.md"].decode()
    assert json.loads(files["export.json"])["right"] == "own films, vote 12"
    with pytest.raises(HilumError, match="500"):
        kept.bundle(("jpg",), right="x" * 501)


def test_licences_are_listed_with_their_attributions(kept: Kept) -> None:
    rows = {(row["dataset"], row["licence"]): row for row in kept.rows("licences.csv")}
    assert rows["open", "CC BY 4.0"]["attribution"] == "Hospital of X, 2020"
    assert rows["open", "CC BY 4.0"]["conditions"] == "attribution"
    assert rows["closed", CREDENTIALED]["handing_on"] == "forbidden"
    assert sum(int(row["films"]) for row in rows.values()) == FILMS


def test_pictures_that_the_receiver_has_are_not_made_again(kept: Kept) -> None:
    names = [name for name in kept.files if name.startswith("pictures/")]
    assert names == sorted(names)
    again = list(kept.bundle(("jpg",)).files(after=names[2]))
    assert [f.name for f in again if isinstance(f, Present)] == names[:3]
    assert [f.part.name for f in again if not isinstance(f, Present) and f.part.each] == names[3:]


def test_films_and_pictures_that_are_gone_are_told_of_and_not_exported(tmp_path: Path) -> None:
    facts, blobs = open_facts(f"sqlite:///{tmp_path / 'facts.db'}"), Blobs(tmp_path / "blobs")
    ids = keep(facts, blobs, [film(number) for number in range(8)])
    removal.delete_films(facts, "open", [film(0).image_id], [])
    shown = images.thumbnails(facts, [film(1).image_id, film(2).image_id])
    blobs.delete(shown[film(1).image_id])
    torn = shown[film(2).image_id]
    (tmp_path / "blobs" / torn[:2] / torn).write_bytes(b"RIFF")
    files = cohorts.written(Bundle(frozen(ids), facts, blobs, FORMATS), tmp_path / "out")
    facts.close()
    assert film(0).image_id.encode() not in b"".join(files.values())
    assert "1 of these films have left the archive since" in files["METHODS.txt"].decode()
    assert "this export has 7 films" in files["README.md"].decode()
    said = {row["image_id"]: row for row in csv.DictReader(io.StringIO(files["pictures.csv"].decode()))}
    assert said[film(1).image_id]["left_out"] == "the archive keeps no picture"
    assert said[film(2).image_id]["left_out"] == "the kept picture is damaged"
    assert sum(not row["left_out"] for row in said.values()) == sum(name.endswith(".jpg") for name in files)


def test_croissant_is_valid_and_its_records_are_the_films(kept: Kept) -> None:
    croissant = pytest.importorskip("mlcroissant")
    read = croissant.Dataset(jsonld=str(kept.home / "out" / "croissant.json"))
    assert not read.metadata.ctx.issues.errors and not read.metadata.ctx.issues.warnings
    films = list(read.records("films"))
    assert [film["films/image_id"].decode() for film in films] == kept.ids
    assert {film["films/licence"] for film in films} >= {CREDENTIALED.encode()}
    assert len(list(read.records("labels"))) == FILMS
    told = json.loads(kept.files["croissant.json"])
    for one in told["distribution"]:
        if one["@type"] == "cr:FileObject":
            assert one["sha256"] == hashlib.sha256(kept.files[one["contentUrl"]]).hexdigest()


def test_formats_are_known_and_croissant_brings_a_table() -> None:
    assert chosen(["croissant"]) == ("csv", "croissant")
    assert chosen(["parquet", "croissant", "parquet"]) == ("parquet", "croissant")
    assert chosen([]) == ("csv", "parquet", "tables", "methods", "croissant")
    with pytest.raises(HilumError, match="no such format"):
        chosen(["csv", "../x"])


def test_a_cohort_without_models_says_so(kept: Kept) -> None:
    text = " ".join(methods.paragraphs(replace(kept.frozen, models=(), title=""), 0))
    assert "No encoder had a part in the selection." in text
