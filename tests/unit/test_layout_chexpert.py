"""CheXpert and CheXpert Plus: in miniature with their traps, and the real training table."""

import json
from pathlib import Path

from services.core.labels import CHEXPERT, LabelState
from tests.kit.published import opened, picture, real_table, write

HEADER = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(CHEXPERT)}\n"
BLANK = "," * (len(CHEXPERT) - 1)


def test_films_labels_and_readers(tmp_path: Path) -> None:
    root = tmp_path / "CheXpert-v1.0-small"
    for name in ("train/patient00001/study1/view1_frontal.jpg", "train/patient00001/study2/view2_lateral.jpg",
                 "valid/patient64541/study1/view1_frontal.jpg"):  # fmt: skip
        picture(root / name, len(name))
    write(
        root / "train.csv",
        HEADER + f"CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0{BLANK}\n"
        f"CheXpert-v1.0-small/train/patient00001/study2/view2_lateral.jpg,Unknown,0,Lateral,,,-1.0{BLANK[1:]}\n",
    )
    write(
        root / "valid.csv",
        HEADER + f"CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,0.0{BLANK}\n",
    )
    source = opened(root)
    first, second, third = (row for row in source.find([film.name for film in source.films()]) if row)
    assert first.key == "train/patient00001/study1/view1_frontal.jpg", "alike in both sizes"
    facts = first.stated
    assert (facts.patient_id, facts.study_id, facts.study_order) == ("patient00001", "patient00001-study1", 1)
    assert (facts.view, facts.sex, facts.age, facts.split) == ("AP", "F", 68, "train")
    assert [(x.name, x.state, x.source, x.level) for x in facts.labels or ()] == [
        ("no_finding", LabelState.PRESENT, "chexpert", "study")
    ]
    assert (second.stated.view, second.stated.sex, second.stated.age) == ("LATERAL", None, None), "an age of 0 is none"
    assert [x.state for x in second.stated.labels or ()] == [LabelState.UNCERTAIN]
    assert third.stated.split == "validate"
    assert [(x.source, x.state) for x in third.stated.labels or ()] == [("radiologist", LabelState.ABSENT)]
    assert opened(tmp_path, "chexpert", tables=root).find(["CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg"])


def test_every_real_row_of_the_training_table_parses(tmp_path: Path) -> None:
    real_table("chexpert_train.csv.gz", tmp_path, "train.csv.gz")
    source = opened(tmp_path, "chexpert")
    assert source.rows == 223_414 and len(source.findings) == 14
    [row] = source.find(["x/train/patient00002/study2/view1_frontal.jpg"])
    assert row and {x.name for x in row.stated.labels or () if x.state is LabelState.UNCERTAIN} >= {
        "edema",
        "atelectasis",
    }


def test_chexpert_plus_has_reports_demographics_and_labels_apart(tmp_path: Path) -> None:
    sections = ("narrative,clinical_history,history,comparison,technique,procedure_comments,findings,impression,"
                "end_of_impression,summary,accession_number")  # fmt: skip
    columns = ["path_to_image", "path_to_dcm", "frontal_lateral", "ap_pa", "deid_patient_id",
               "patient_report_date_order", "report", *(f"section_{s}" for s in sections.split(",")), "age", "sex",
               "race", "ethnicity", "interpreter_needed", "insurance_type", "recent_bmi", "deceased",
               "split"]  # fmt: skip
    path = "train/patient42142/study5/view1_frontal.jpg"
    cells = dict.fromkeys(columns, "") | {
        "path_to_image": path, "frontal_lateral": "Frontal", "ap_pa": "AP", "deid_patient_id": "patient42142",
        "patient_report_date_order": "1", "report": '"NARRATIVE:\nCHEST\nIMPRESSION: 1. Clear, and ""stable"""',
        "section_impression": '"1. Clear, and ""stable"""', "age": "68.0", "sex": "Female", "race": "White",
        "ethnicity": "Not Hispanic", "split": "train",
    }  # fmt: skip
    other = cells | {"path_to_image": path.replace("view1_frontal", "view2_lateral"), "frontal_lateral": "Lateral"}
    rows = [",".join(one[c] for c in columns) for one in (cells, other)]
    write(tmp_path / "df_chexpert_plus_240401.csv", ",".join(columns) + "\n" + "\n".join(rows) + "\n")
    label = {"path_to_image": path, **dict.fromkeys(CHEXPERT), "Edema": 1.0, "Fracture": 0.0, "Pneumonia": -1.0}
    write(tmp_path / "chexbert_labels/report_fixed.json", json.dumps(label) + "\n")
    source = opened(tmp_path)
    frontal, lateral = source.find([f"PNG/{path[:-4]}.png", f"dcm/{other['path_to_image'][:-4]}.dcm"])
    assert frontal and lateral and frontal.key == path[:-4]
    assert (frontal.stated.race, frontal.stated.ethnicity, frontal.stated.age) == ("White", "Not Hispanic", 68)
    assert (frontal.stated.view, lateral.stated.view) == ("AP", "LATERAL")
    assert frontal.stated.study_order is None, "their order is no order in time"
    assert {(x.name, x.state.value) for x in frontal.stated.labels or ()} == {
        ("edema", "present"), ("fracture", "absent"), ("pneumonia", "uncertain"),
    }  # fmt: skip
    [(study, told)] = source.reports()
    assert (
        study == frontal.stated.study_id and told["impression"] == '1. Clear, and "stable"' and "\n" in told["report"]
    )
