"""PadChest, VinDr-CXR, BRAX, RSNA, Open-i and Emory: in miniature with their traps, and the real tables at hand."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from services.core.labels import CHEXPERT, LabelState
from services.ingest.sources import layouts
from services.ingest.sources.tables import Row
from tests.kit.published import opened, real_table, write


def one(found: list[Row | None]) -> Row:
    [row] = found
    assert row is not None
    return row


def said(row: Row) -> dict[str, str]:
    return {label.name: label.state.value for label in row.stated.labels or ()}


def test_every_layout_declares_itself_whole() -> None:
    for name in layouts.names():
        layout = layouts.named(name)
        assert layout.name == name and layout.title and layout.terms and layout.films and layout.marks
        assert "key" in layout.select


def test_padchest_real_rows_keep_long_ids_line_breaks_and_none(tmp_path: Path) -> None:
    real_table("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz", tmp_path)
    source = opened(tmp_path)
    assert source.rows == 160_861, "of 166,738 lines"
    row = one(source.find(["0/135803415504923515076821959678074435083_fzis7d.png"]))
    facts = row.stated
    assert facts.patient_id == "313572750430997347502932654319389875966"
    assert (facts.view, facts.sex, facts.age, facts.age_binned, facts.bits_stored) == ("LATERAL", "M", 86, True, 12)
    assert said(row)["pulmonary_fibrosis"] == "present" and {x.source for x in facts.labels or ()} == {"physician"}
    normal = one(source.find(["20536686640136348236148679891455886468_k6ga29.png"]))
    assert said(normal) == {"no_finding": "present"}, "what is not listed is unknown here"
    assert normal.stated.institution is None
    view = "SELECT view, count(*) FROM canonical GROUP BY view"
    counts = dict(source._rows._db.execute(view).fetchall())  # type: ignore[attr-defined]
    assert counts["PA"] == 91_728 and counts["L"] == 49_579
    study, sections = next(source.reports())
    assert study and sections["report"]


def test_vindr_votes_become_states_with_their_share(tmp_path: Path) -> None:
    write(tmp_path / "annotations/image_labels_train.csv",
        "image_id,rad_id,Cardiomegaly,Pleural effusion,Other diseases,No finding\n"
        "aa,R1,1,0,0,0\naa,R2,1,0,1,0\naa,R3,1,0,0,0\nbb,R1,0,1,0,0\nbb,R2,0,0,0,1\nbb,R3,0,1,0,0\n")  # fmt: skip
    write(tmp_path / "annotations/image_labels_test.csv",
          "image_id,Cardiomegaly,Pleural effusion,Other disease,No finding\ncc,0,1,1,0\n")  # fmt: skip
    write(tmp_path / "annotations/annotations_train.csv",
          "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n"
          "aa,R1,Cardiomegaly,10,20,110,220\naa,R2,No finding,,,,\n")  # fmt: skip
    source = opened(tmp_path)
    first, second, third = (one(source.find([f"train/{name}.dicom"])) for name in ("aa", "bb", "cc"))
    assert said(first) == {
        "cardiomegaly": "present", "pleural_effusion": "absent", "other_diseases": "uncertain", "no_finding": "absent",
    }  # fmt: skip
    shares = {label.name: label.score for label in first.stated.labels or ()}
    assert shares["cardiomegaly"] == 1 and shares["other_diseases"] == pytest.approx(1 / 3)
    [box] = first.stated.boxes or ()
    assert (box.name, box.x, box.y, box.width, box.height) == ("cardiomegaly", 10, 20, 100, 200)
    assert said(second)["pleural_effusion"] == "present" and said(second)["no_finding"] == "uncertain"
    assert third.stated.split == "test" and said(third)["other_diseases"] == "present", (
        "spelt otherwise in the test set"
    )
    assert first.stated.patient_id is None, "none is published"


def test_brax_has_binned_ages_and_one_key_for_both_formats(tmp_path: Path) -> None:
    columns = ["DicomPath", "PngPath", "PatientID", "PatientSex", "PatientAge", "AccessionNumber", "StudyDate",
               *CHEXPERT, "ViewPosition", "Rows", "Columns", "Manufacturer"]  # fmt: skip
    path = "id_3c19/Study_10.20/Series_30.40/image-50.60-70"
    cells = dict.fromkeys(columns, "") | {
        "DicomPath": f"Anonymized_DICOMs/{path}.dcm", "PngPath": f"images/{path}.png", "PatientID": "id_3c19",
        "PatientSex": "F", "PatientAge": "65", "StudyDate": "20080101", "Edema": "0.0", "ViewPosition": "L",
        "AccessionNumber": "999", "Manufacturer": "PHILIPS",
    }  # fmt: skip
    write(tmp_path / "master_spreadsheet_update.csv", f"{','.join(columns)}\n{','.join(cells.values())}\n")
    source = opened(tmp_path)
    png, dicom = source.find([f"images/{path}.png", f"Anonymized_DICOMs/{path}.dcm"])
    assert png == dicom and png and png.key == "image-50.60-70"
    facts = png.stated
    assert (facts.study_id, facts.age, facts.age_binned, facts.view) == ("10.20", 65, True, "LATERAL")
    assert said(png) == {"edema": "absent"} and facts.date_kind == "shifted"


def test_rsna_real_boxes_and_no_patients(tmp_path: Path) -> None:
    with zipfile.ZipFile(real_table("kaggle_stage_2_train_labels.csv.zip", tmp_path)) as archive:
        archive.extractall(tmp_path)
    source = opened(tmp_path)
    assert source.rows == 26_684
    row = one(source.find(["stage_2_train_images/00436515-870c-4b36-a041-de91049b9ab4.dcm"]))
    assert row.stated.patient_id is None, "patientId names an image"
    assert len(row.stated.boxes or ()) == 2 and said(row) == {"lung_opacity": "present"}
    assert said(one(source.find(["0004cfab-14fd-4e49-80ba-63a80b6bddd6.dcm"]))) == {"lung_opacity": "absent"}


def test_open_i_real_reports(tmp_path: Path) -> None:
    with tarfile.open(real_table("NLMCXR_reports.tgz", tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    source = opened(tmp_path)
    assert source.rows == 7_470
    studies = "SELECT count(DISTINCT study) FROM reports"
    assert source._rows._db.execute(studies).fetchone() == (3_955,)  # type: ignore[attr-defined]
    row = one(source.find(["NLMCXR_png/CXR1000_IM-0003-1001.png"]))
    assert row.stated.study_id == "CXR1000" and "no_finding" not in said(row)
    told = dict(source.reports())
    assert told["CXR1"]["impression"] == "Normal chest x-XXXX." and len(told) == 3_927, "28 are blank"
    (tmp_path / "ecgen-radiology/damaged.xml").write_text("<eCitation><uId id='CXR1'")
    assert opened(tmp_path).rows == 7_470


def test_emory_joins_accessions_as_text_and_not_across_patients(tmp_path: Path) -> None:
    columns = ("empi_anon,AccessionNumber_anon,SOP,ImagePath,ViewPosition,Sex,Age,BMI,Race,Ethnicity,Frontal,"
               "InstitutionName_anon,StudyDate_anon")  # fmt: skip
    write(tmp_path / "TABLES/EmoryCXR_v2_metadata_08152025.csv",
        f"{columns}\n"
        "11,500.0,1.2.3,x,AP,Female,61,28,African American  or Black,Non-Hispanic,True,H1,2015-03-02 10:00\n"
        "11,500.0,1.2.4,x,,Female,61,28,White,,False,H1,2015-03-02 10:00\n"
        "12,7,1.2.5,x,PA,Male,70,,White,,True,H2,2016-01-01\n"
        "13,7,1.2.6,x,PA,Male,50,,White,,True,H2,2016-01-01\n")  # fmt: skip
    labels = ",".join("1.0" if name == "Edema" else "0.0" if name == "Fracture" else "" for name in CHEXPERT)
    write(tmp_path / "TABLES/EmoryCXR_v2_FindingLabel_10162024.csv",
          f"AccessionNumber_anon,{','.join(CHEXPERT)}\n500,{labels}\n7,{labels}\n")  # fmt: skip
    write(tmp_path / "TABLES/EmoryCXR_v2_Report_1.csv",
          'AccessionNumber_anon,deid_report\n500,"EXAM: chest\nIMPRESSION: edema"\n7,collides\n')  # fmt: skip
    source = opened(tmp_path)
    frontal, lateral, third, fourth = (one(source.find([f"DEID_PNG/11/500/1.2.{n}.png"])) for n in (3, 4, 5, 6))
    assert said(frontal) == said(lateral) == {"edema": "present", "fracture": "absent"}
    assert said(third) == said(fourth) == {}, "accession 7 belongs to two patients"
    assert (frontal.stated.race, frontal.stated.view, lateral.stated.view) == (
        "African American or Black", "AP", "LATERAL"
    )  # fmt: skip
    assert frontal.stated.study_date == "2015-03-02" and frontal.stated.institution == "H1"
    [(study, told)] = source.reports()
    assert study == frontal.stated.study_id == "11-500" and "edema" in told["report"]


def test_the_datathon_release_joins_by_accession_and_patient(tmp_path: Path) -> None:
    write(tmp_path / "datathon_cxr_metadata.csv",
        "AccessionNumber_anon,empi_anon,StudyDate_anon,ImagePath,Sex,Race,BMI_value,Age,ImageView_Frontal,"
        "ImageView_Lateral,ADI,ICU,Findings,CCI,Insurance\n"
        "0xaa,0x1,2012-01-01,CXR/0x1/0xaa/h1.png,Female,White,32280,55,1,0,1,0,1,1,1\n"
        "0xaa,0x2,2012-01-01,CXR/0x2/0xaa/h2.png,Male,White,20,45,0,1,1,0,1,1,1\n")  # fmt: skip
    labels = ",".join("-1" if name == "Edema" else "" for name in CHEXPERT)
    write(tmp_path / "datathon_cxr_findings.csv", f"acc_nbr_anon,empi_anon,{','.join(CHEXPERT)}\n0xaa,0x1,{labels}\n")
    source = opened(tmp_path)
    first, second = (one(source.find([f"CXR/{p}/0xaa/{h}.png"])) for p, h in (("0x1", "h1"), ("0x2", "h2")))
    assert [x.state for x in first.stated.labels or ()] == [LabelState.UNCERTAIN] and said(second) == {}
    assert (first.stated.view, second.stated.view) == (None, "LATERAL")


def test_a_layout_says_which_table_or_column_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="needs master_spreadsheet"):
        opened(tmp_path, "brax")
    write(tmp_path / "master_spreadsheet.csv", "DicomPath,PatientID\nx,y\n")
    with pytest.raises(Exception, match="lacks the columns"):
        opened(tmp_path, "brax")
    with pytest.raises(Exception, match="there are: auto"):
        opened(tmp_path, "brox")
