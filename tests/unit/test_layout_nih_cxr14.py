"""NIH ChestX-ray14, in miniature with its traps, and all 112,120 real rows."""

from pathlib import Path

import pytest

from services.core.errors import HilumError
from services.core.ids import image_id
from services.core.labels import LabelState
from tests.kit.published import opened, picture, real_table, write

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    picture(tmp_path / "images_001/images/00000001_000.png", 1)
    picture(tmp_path / "images_001/images/00000001_001.png", 2, mode="RGBA")
    picture(tmp_path / "images_002/images/00000002_000.png", 3)
    write(
        tmp_path / "Data_Entry_2017.csv",
        HEADER
        + "00000001_000.png,Cardiomegaly|Effusion,0,1,58,M,PA,2682,2749,0.143,0.143\n"
        + "00000001_001.png,No Finding,1,1,414,M,PA,2894,2729,0.143,0.143\n"
        + "00000002_000.png,Hernia,0,2,81,F,AP,2500,2048,0.168,0.168\n",
    )
    return tmp_path


def test_a_source_in_this_layout_is_recognised_and_read(root: Path) -> None:
    source = opened(root)
    names = [film.name for film in source.films()]
    assert len(names) == 3 and source.rows == 3 and source.keep_ids
    first, second, third = (row for row in source.find(names) if row)
    assert first.key == "00000001_000.png" == source.key(names[0], None, first)
    assert (first.stated.patient_id, first.stated.study_id, first.stated.view) == ("1", "1-0", "PA")
    assert (
        first.stated.pixel_spacing == 0.143 and first.stated.study_order == 0 and first.stated.view_source == "stated"
    )
    labels = {label.name: label for label in first.stated.labels or ()}
    assert labels["cardiomegaly"].state is LabelState.PRESENT and not labels["cardiomegaly"].implicit
    assert labels["pleural_effusion"].state is LabelState.PRESENT
    assert labels["hernia"].state is LabelState.ABSENT and labels["hernia"].implicit
    assert "no_finding" not in labels
    assert second.stated.age is None, "an age of 414 is unknown"
    normal = {label.name: label.state for label in second.stated.labels or ()}
    assert normal.pop("no_finding") is LabelState.PRESENT
    assert set(normal.values()) == {LabelState.ABSENT} and len(normal) == 14
    assert third.stated.age == 81 and third.stated.sex == "F"
    assert source.of([image_id("demo", "00000002_000.png"), image_id("demo", "x")]) == [third, None]
    source.close()


def test_a_film_stated_twice_is_refused_and_a_repeated_row_is_not(root: Path) -> None:
    table = root / "Data_Entry_2017.csv"
    last = table.read_text().splitlines()[-1]
    table.write_text(table.read_text() + last + "\n")
    assert opened(root).rows == 3
    table.write_text(table.read_text() + last.replace("81", "18") + "\n")
    with pytest.raises(HilumError, match="twice"):
        opened(root)


def test_every_real_row_parses(tmp_path: Path) -> None:
    """The published counts: Wang et al. 2017 and the dataset's own README."""
    real_table("Data_Entry_2017_v2020.csv.gz", tmp_path)
    source = opened(tmp_path, "nih-cxr14", "nih")
    assert source.rows == 112_120
    assert len(source.findings) == 15
    rows = source._rows  # type: ignore[attr-defined]
    counts = rows._db.execute(
        "SELECT view, count(*), count(DISTINCT patient_id) FROM canonical GROUP BY view"
    ).fetchall()
    assert {view: count for view, count, _ in counts} == {"PA": 67_310, "AP": 44_810}
    [(patients,)] = rows._db.execute("SELECT count(DISTINCT patient_id) FROM canonical").fetchall()
    assert patients == 30_805
    source.close()
