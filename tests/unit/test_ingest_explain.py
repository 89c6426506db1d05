"""What an ingest would do with one file, and why."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.app.cli import app
from services.phantom.write import write_archive


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("films")
    write_archive(root, 1, seed=5, size=96)
    return next(root.rglob("*.dcm"))


def explained(*words: str) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(app, ["ingest", *words, "--explain", "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_a_film_is_taken_and_shown_without_its_ids(film: Path, tmp_path: Path) -> None:
    code, said = explained(str(film), "--picture", str(tmp_path / "seen.jpg"))
    assert code == 0 and said["accepted"] and "DICOM" in str(said["kind"])
    assert said["facts"]["patient_id"] == "stated; kept as a pseudonym"  # type: ignore[index]
    assert "PatientName" not in json.dumps(said) and "PatientID" not in said["header"]  # type: ignore[operator]
    assert (tmp_path / "seen.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_what_is_refused_is_refused_with_its_reason_and_header(film: Path, tmp_path: Path) -> None:
    import pydicom

    elements = pydicom.dcmread(film)
    elements.BodyPartExamined = "HAND"
    elements.save_as(tmp_path / "hand.dcm")
    code, said = explained(str(tmp_path / "hand.dcm"))
    assert code == 3 and said["reason"] == "WRONG_BODY_PART" and said["header"]["BodyPartExamined"] == "HAND"  # type: ignore[index]
    (tmp_path / "prose.dcm").write_text("no film")
    assert explained(str(tmp_path / "prose.dcm"))[1]["reason"] == "NOT_AN_IMAGE"
