"""MIMIC-CXR in both releases, in miniature with its traps."""

import zipfile
from pathlib import Path

import pytest

from services.core.labels import CHEXPERT, LabelState
from services.ingest.sources.source import Source
from tests.kit.published import opened, picture, write

A, B, C = (f"{i:08x}-11111111-22222222-33333333-44444444" for i in (1, 2, 3))
REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough. Please rule out: pneumonia.

 FINDINGS:

 The lungs are clear.  No pleural effusion: none seen on the lateral.

 IMPRESSION:

 No acute process.
"""
ADDENDUM = (
    """                                 FINAL ADDENDUM
 ADDENDUM  There is a small left apical pneumothorax.
 ______________________________________________________________________________
"""
    + REPORT
)


def tables(root: Path) -> None:
    write(root / "mimic-cxr-2.0.0-metadata.csv.gz",
        "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
        "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning\n"
        f"{A},10000032,50414267,CHEST (PA AND LAT),PA,3056,2544,21800506,213014.531,CHEST,postero-anterior,Erect\n"
        f'{B},10000032,50414267,"CHEST, LAT",,3056,2544,21800506,213014.531,CHEST,left lateral,Erect\n'
        f"{C},10000764,57375967,CHEST (PORTABLE AP),AP,2544,3056,21321015,83045.0,CHEST,antero-posterior,Recumbent\n",
    )  # fmt: skip
    columns = ",".join(sorted(CHEXPERT))
    blank = ",".join("1.0" if n == "Edema" else "-1.0" if n == "Pneumonia" else "0.0" if n == "Fracture" else ""
                     for n in sorted(CHEXPERT))  # fmt: skip
    write(root / "mimic-cxr-2.0.0-chexpert.csv.gz", f"subject_id,study_id,{columns}\n10000032,50414267,{blank}\n")
    write(
        root / "mimic-cxr-2.0.0-split.csv.gz",
        f"dicom_id,study_id,subject_id,split\n{A},50414267,10000032,train\n{C},57375967,10000764,validate\n",
    )
    write(root / "mimic-cxr-2.1.0-test-set-labeled.csv", f"study_id,{columns}\n50414267,{blank}\n")
    write(
        root / "hosp/patients.csv.gz",
        "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\n10000032,F,52,2180,2014 - 2016,\n",
    )
    write(root / "hosp/admissions.csv.gz",
        "subject_id,hadm_id,admittime,race,insurance\n"
        "10000032,1,2180-04-01 10:00:00,WHITE,Medicaid\n10000032,2,2180-05-06 22:00:00,OTHER,Medicaid\n"
        "10000032,3,2181-05-06 22:00:00,UNKNOWN,Medicaid\n",
    )  # fmt: skip


@pytest.fixture
def jpg(tmp_path: Path) -> Path:
    tables(tmp_path)
    for number, (folder, name) in enumerate((("p10/p10000032/s50414267", A), ("p10/p10000032/s50414267", B),
                                             ("p10/p10000764/s57375967", C))):  # fmt: skip
        picture(tmp_path / "files" / folder / f"{name}.jpg", number)
    return tmp_path


def labels(source: Source, name: str) -> dict[tuple[str, str], LabelState]:
    [row] = source.find([name])
    assert row is not None
    return {(label.source, label.name): label.state for label in row.stated.labels or ()}


def test_films_carry_study_labels_demographics_and_split(jpg: Path) -> None:
    source = opened(jpg)
    names = [film.name for film in source.films()]
    first, lateral, other = (row.stated for row in source.find(names) if row)
    assert (first.patient_id, first.study_id, first.view, first.sex) == ("10000032", "50414267", "PA", "F")
    assert (first.study_date, first.date_kind, first.split) == ("2180-05-06", "shifted", "train")
    assert (first.age, first.race, first.orientation) == (52, "OTHER", "erect"), (
        "the admission of that day, no later one"
    )
    assert lateral.view == "LATERAL", "a blank ViewPosition is told by the view code"
    assert lateral.split is None and lateral.age == 52
    assert (other.sex, other.age, other.race, other.orientation) == (None, None, None, "supine")
    said = labels(source, names[0])
    assert said["chexpert", "edema"] is LabelState.PRESENT and said["chexpert", "pneumonia"] is LabelState.UNCERTAIN
    assert said["chexpert", "fracture"] is LabelState.ABSENT and ("chexpert", "cardiomegaly") not in said
    assert said["radiologist", "edema"] is LabelState.PRESENT
    assert labels(source, names[2]) == {}
    [row] = source.find([names[0]])
    assert row and {label.level for label in row.stated.labels or ()} == {"study"}


def test_ages_above_89_are_capped(jpg: Path) -> None:
    write(jpg / "hosp/patients.csv.gz", "subject_id,gender,anchor_age,anchor_year\n10000032,F,91,2179\n")
    [row] = opened(jpg).find([f"x/{A}.jpg"])
    assert row and row.stated.age == 90


def test_reports_are_split_with_the_addendum_apart(jpg: Path) -> None:
    write(jpg / "files/p10/p10000032/s50414267.txt", ADDENDUM)
    [(study, sections)] = opened(jpg).reports()
    assert study == "50414267"
    assert sections["impression"] == "No acute process."
    assert sections["findings"].startswith("The lungs are clear.") and "none seen" in sections["findings"]
    assert sections["indication"] == "___F with cough. Please rule out: pneumonia."
    assert "apical pneumothorax" in sections["addendum"] and "pneumothorax" not in sections["findings"]


def test_reports_are_read_out_of_their_archive(jpg: Path) -> None:
    with zipfile.ZipFile(jpg / "mimic-cxr-reports.zip", "w") as archive:
        archive.writestr("files/p10/p10000032/s50414267.txt", REPORT)
        archive.writestr("../../outside/s1.txt", "")
        archive.writestr("files/p10/README.txt", "FINDINGS: none")
    assert [study for study, _ in opened(jpg).reports()] == ["50414267"]


def test_the_dicom_release_needs_its_record_list_only(tmp_path: Path) -> None:
    write(
        tmp_path / "cxr-record-list.csv.gz",
        f"subject_id,study_id,dicom_id,path\n10000032,50414267,{A},files/p10/p10000032/s50414267/{A}.dcm\n",
    )
    (tmp_path / "files/p10").mkdir(parents=True)
    source = opened(tmp_path)
    name = f"files/p10/p10000032/s50414267/{A}.dcm"
    [row] = source.find([name])
    assert row and row.stated.patient_id == "10000032" and row.stated.view is None and not row.stated.labels
    assert source.key(name, "1.2.3", row) == A, "one key in both releases"
    tables(tmp_path)
    [row] = opened(tmp_path, "mimic-cxr").find([name])
    assert row and row.stated.view == "PA" and row.stated.split == "train" and row.stated.labels
