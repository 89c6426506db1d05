"""Tables of labels and reports: columns by name, four label states, nothing read that is not on the list."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.errors import ErrorCode, HilumError
from services.core.labels import LabelState
from services.ingest import stated
from services.ingest.sources.tables import read_films, read_reports


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def states(folder: Path, text: str, name: str = "a.png") -> dict[str, LabelState] | None:
    row = read_films(table(folder, text), folder).find(name)
    assert row is not None
    return None if row.stated.labels is None else {label.name: label.state for label in row.stated.labels}


def test_one_column_per_finding_and_blank_is_unknown(tmp_path: Path) -> None:
    text = "file,Edema,Pleural Effusion,Consolidation,Pneumonia,Cardiomegaly\na.png,1.0,0,-1,,nan\n"
    assert states(tmp_path, text) == {
        "edema": LabelState.PRESENT, "pleural_effusion": LabelState.ABSENT, "consolidation": LabelState.UNCERTAIN,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "order"), [("-8.0", -8), ("0", 0), ("12", 12), ("", None), ("soon", None), ("1.5", None), ("9" * 9, None)]
)
def test_days_from_an_event_put_a_patients_studies_in_order(tmp_path: Path, cell: str, order: int | None) -> None:
    row = read_films(table(tmp_path, f"file,offset_days\na.png,{cell}\n"), tmp_path).find("a.png")
    assert row is not None and row.stated.study_order == order


CELLS = st.sampled_from(["", " ", "nan", "NaN", "None", "1", "1.0", "0", "0.0", "-1", "x"])


@given(cells=st.lists(CELLS, min_size=3, max_size=3))
def test_only_a_zero_is_absent(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    folder = tmp_path_factory.mktemp("t")
    names = ("edema", "pneumonia", "fracture")
    found = states(folder, f"file,Edema,Pneumonia,Fracture\na.png,{','.join(cells)}\n")
    assert found is not None
    for name, cell in zip(names, cells, strict=True):
        assert (found.get(name) is LabelState.ABSENT) == (cell in ("0", "0.0"))
        assert (found.get(name) is LabelState.PRESENT) == (cell in ("1", "1.0"))


def test_names_joined_by_a_bar_are_present_and_the_rest_unknown(tmp_path: Path) -> None:
    text = (
        "image_id,file,labels,label_source\n1,a.png,Effusion|Pleural_Thickening,NIH\n"
        "2,b.png,No Finding,NIH\n3,c.png,,NIH\n"
    )
    assert states(tmp_path, text) == {
        "pleural_effusion": LabelState.PRESENT, "pleural_thickening": LabelState.PRESENT,
    }  # fmt: skip
    assert states(tmp_path, text, "b.png") == {"no_finding": LabelState.PRESENT}
    assert states(tmp_path, text, "c.png") == {}
    row = read_films(table(tmp_path, text), tmp_path).find("a.png")
    assert row is not None and {label.source for label in row.stated.labels or ()} == {"NIH"}


def test_sides_and_prefixed_columns_are_findings_and_other_columns_are_not(tmp_path: Path) -> None:
    text = "file,Pleural Effusion Left,label:COVID-19,width,notes,Frontal\na.png,1,1,1,1,1\n"
    assert states(tmp_path, text) == {
        "pleural_effusion_left": LabelState.PRESENT, "covid_19": LabelState.PRESENT,
    }  # fmt: skip


def test_a_table_without_labels_says_nothing_of_labels(tmp_path: Path) -> None:
    assert states(tmp_path, "file,sex\na.png,F\n") is None


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("file", "sub/a.png"), ("Path", "sub/a.png"), ("filename", "a.png"), ("Image Index", "a.png"),
        ("image_id", "a"), ("dicom_id", "a"), ("SOPInstanceUID", "a"), ("\ufefffile", "./sub/a.png"),
    ],
)  # fmt: skip
def test_films_are_found_under_every_usual_name(tmp_path: Path, header: str, name: str) -> None:
    row = read_films(table(tmp_path, f"{header},view\n{name},AP\n"), tmp_path).find("sub/a.png")
    assert row is not None and row.stated.view == "AP"


def test_paths_may_count_from_the_tables_own_folder(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    found = read_films(table(tmp_path / "site", "file,view\nx/a.png,AP\nx/b.png,PA\n"), tmp_path)
    assert found.find("site/x/b.png").stated.view == "PA"  # type: ignore[union-attr]


def test_a_file_name_that_two_rows_share_finds_neither(tmp_path: Path) -> None:
    found = read_films(table(tmp_path, "file,view\nx/a.png,AP\ny/a.png,PA\n"), tmp_path)
    assert found.find("z/a.png") is None
    assert found.find("y/a.png").stated.view == "PA"  # type: ignore[union-attr]


def test_gzip_and_quoted_newlines(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv.gz"
    path.write_bytes(gzip.compress(b'file,report,sex\na.png,"two\nlines",F\nb.png,x,Male\n'))
    found = read_films(path, tmp_path)
    assert found.rows == 2 and found.find("b.png").stated.sex == "M"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"sex,age\nF,3\n",
        b"file,sex\n",
        b"file,sex\na.png,\xff\xfe\xff\n",
        b"file,labels\na.png," + b"x" * 80 + b"\n",
    ],
)
def test_unusable_tables_are_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(HilumError) as refused:
        read_films(path, tmp_path)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT
    assert "xxx" not in refused.value.client_message and str(tmp_path) not in refused.value.client_message


def test_a_column_of_free_text_is_not_taken_for_labels(tmp_path: Path) -> None:
    rows = "".join(f"{i}.png,seen by Dr {i}\n" for i in range(600))
    with pytest.raises(HilumError, match="500 different names"):
        read_films(table(tmp_path, f"file,labels\n{rows}"), tmp_path)


def test_reports_by_section(tmp_path: Path) -> None:
    path = table(tmp_path, 'study_id,Findings,impression,author\ns1,"clear\nlungs",normal,Dr X\ns2,,,\n,lost,,\n')
    assert list(read_reports(path)) == [("s1", {"findings": "clear\nlungs", "impression": "normal"})]
    with pytest.raises(HilumError, match="study_id"):
        list(read_reports(table(tmp_path, "findings\nx\n")))


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("063Y", 63), ("63", 63), ("63.0", 63), ("018M", 1.5), ("010D", 0.03), ("089Y", 89), ("090Y", 90), ("103Y", 90),
        ("999Y", None), ("414", None), ("", None), ("nan", None), ("-3", None), ("Y63", None), (None, None),
    ],
)  # fmt: skip
def test_ages(text: str | None, years: float | None) -> None:
    assert stated.age(text) == years


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("PA", "PA"), ("pa ", "PA"), ("AP", "AP"), ("AP_horizontal", "AP"), ("postero-anterior", "PA"),
        ("LL", "LATERAL"),
        ("RL", "LATERAL"), ("LATERAL", "LATERAL"), ("left lateral", "LATERAL"), ("L", "LATERAL"), ("", None),
        ("EXCLUDE", None), ("UNK", None), (None, None),
    ],
)  # fmt: skip
def test_views(text: str | None, view: str | None) -> None:
    assert stated.view(text) == view


def test_dates_and_sexes() -> None:
    assert [stated.date(t) for t in ("21800506", "2180.05.06", "2180-05-06", "21800231", "May 6", "")] == [
        "2180-05-06", "2180-05-06", "2180-05-06", None, None, None,
    ]  # fmt: skip
    assert [stated.sex(t) for t in ("M", "Female", "O", "X", "", None)] == ["M", "F", "O", None, None, None]


def test_rows_are_kept_small_and_read_alike_each_time(tmp_path: Path) -> None:
    alone = read_films(table(tmp_path, "file\na.png\n"), tmp_path).find("a.png")
    assert alone is not None and alone.key is None and alone.stated.labels is None
    odd = read_films(table(tmp_path, "file,patient_id,image_id,sex\na.png,a\x1fb,k,F\n"), tmp_path)
    assert odd.find("a.png") == odd.find("elsewhere.png", "k") == odd.find("a.png")
    assert (row := odd.find("a.png")) is not None and (row.key, row.stated.sex) == ("k", "F")
    rows = "\n".join(f"{n:06d}.png,p{n // 3},s{n // 2},PA,F,{n % 70},1,0" for n in range(2_000))
    text = f"file,patient_id,study_id,view,sex,age,label:edema,label:mass\n{rows}\n"
    path = table(tmp_path, text)
    tracemalloc.start()
    try:
        kept = read_films(path, tmp_path)
        assert kept.rows == 2_000 and tracemalloc.get_traced_memory()[0] < 400 * 2_000
    finally:
        tracemalloc.stop()
