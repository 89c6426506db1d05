"""IHE TCE: read back by pydicom and highdicom, and judged by dciodvfy where it is installed."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import Collection, codes
from pydicom.uid import UID, BasicTextSRStorage, SecondaryCaptureImageStorage

from services.core.errors import HilumError
from services.query.teaching.export.case import PURPOSES, Asked, Case
from services.query.teaching.export.formats import made
from tests.kit import exported


def opened(case: Case) -> dict[str, Dataset]:
    with zipfile.ZipFile(io.BytesIO(made("tce", case))) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dcm")]
        return {name: dcmread(io.BytesIO(archive.read(name))) for name in names}


def test_the_manifest_is_a_key_object_selection_of_all_that_is_sent() -> None:
    files = opened(exported.case())
    manifest = hd.ko.KeyObjectSelectionDocument.from_dataset(files.pop("manifest-1.dcm"))
    assert hd.sr.CodedConcept.from_dataset(manifest.ConceptNameCodeSequence[0]) == codes.DCM.ForTeachingFileExport
    named = {one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for one in manifest.content.get_references()}
    assert named == {one.SOPInstanceUID for one in files.values()}
    for uid in named:
        study, series, _ = manifest.resolve_reference(uid)
        there = next(one for one in files.values() if one.SOPInstanceUID == uid)
        assert (study, series) == (there.StudyInstanceUID, there.SeriesInstanceUID)
    observers = manifest.content.get_observer_contexts()
    assert [str(one.observer_identifying_attributes.name) for one in observers] == ["Ada Author^"]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_titles_tell_the_purpose_by_codes_of_dicom(purpose: str) -> None:
    title = opened(replace(exported.case(), asked=Asked(purpose=purpose)))["manifest-1.dcm"].ConceptNameCodeSequence[0]
    code = hd.sr.CodedConcept.from_dataset(title)
    known = [getattr(codes.cid7010, name) for name in codes.cid7010.dir()]
    assert code in known and code.meaning == next(one.meaning for one in known if one == code)
    assert {"trial": "128711", "teaching": "128710", "research": "128713", "publication": "128714"}[
        purpose
    ] == code.value


def test_receivers_of_the_first_text_find_its_codes() -> None:
    """CTP's DicomObject takes a manifest for one by TCE001, TCE002 or TCE007, and the words by TCE006."""
    files = opened(replace(exported.case(), asked=Asked(codes="iheradtf")))
    manifest, more = files["manifest-1.dcm"], files["additional-1.dcm"]
    assert manifest.ConceptNameCodeSequence[0].CodeValue == "TCE001"
    assert more.ConceptNameCodeSequence[0].CodeValue == "TCE006"
    coded = {
        one.ConceptNameCodeSequence[0].CodeValue: one.ConceptCodeSequence[0].CodeValue
        for one in more.ContentSequence if one.ValueType == "CODE"
    }  # fmt: skip
    assert coded == {"TCE109": "TCE302", "TCE110": "TCE201", "121139": "DX"}
    described = next(one.TextValue for one in manifest.ContentSequence if one.ValueType == "TEXT")
    assert described.startswith("mirc:title=Large left pleural effusion\nmirc:freetext=")


def test_the_words_are_under_their_codes() -> None:
    more = opened(exported.case())["additional-1.dcm"]
    assert (more.SOPClassUID, more.Modality) == (BasicTextSRStorage, "SR")
    root = hd.sr.CodedConcept.from_dataset(more.ConceptNameCodeSequence[0])
    assert root == codes.cid7018.AdditionalTeachingFileInformation
    items = hd.sr.ContentSequence.from_sequence(more.ContentSequence)
    said: dict[str, list[str]] = {}
    for one in items:
        said.setdefault(one.name.meaning, []).append(one.value if isinstance(one.value, str) else one.value.meaning)
    assert said["Author"] == ["Ada Author, A Hospital"] and said["Diagnosis"] == ["Pleural effusion"]
    assert said["History"] == ["A man of 63, breathless for two weeks.\n\n- smoker\n- asbestos in 1980"]
    assert said["Differential Diagnosis/Impression"] == ["Lobar collapse", "Consolidation"]
    assert said["Keywords"] == ["effusion", "pleura"] and said["Radiographic anatomy"] == ["Pleura"]
    assert said["Teaching File Category"] == ["Pulmonary imaging subject matter"]
    assert said["Level of Difficulty"] == ["Primary level"]
    assert any("Films 1, 2: Licence: CC BY 4.0." in text for text in said["Discussion"])
    _known_to_dicom([one for one in items if one.name.scheme_designator == "DCM"])


def _known_to_dicom(items: list[hd.sr.ContentItem]) -> None:
    known: Collection = codes.DCM
    there = {getattr(known, name).value: getattr(known, name).meaning for name in known.dir()}
    for one in items:
        assert there[one.name.value] == one.name.meaning
        if isinstance(one.value, hd.sr.CodedConcept) and one.value.value in there and one.value.value.isdigit():
            assert there[one.value.value] == one.value.meaning


def test_pictures_have_the_pixels_and_nothing_of_a_person() -> None:
    case = exported.case()
    files = opened(case)
    for film in case.films:
        one = files[f"{film.name}.dcm"]
        assert one.SOPClassUID == SecondaryCaptureImageStorage
        np.testing.assert_array_equal(one.pixel_array, film.pixels)
        assert (one.PatientName, one.PatientSex, one.PatientAge) == ("Teaching^File 1", "M", "063Y")
        assert one.PatientIdentityRemoved == "YES" and one.BurnedInAnnotation == "NO"
        assert "CC BY 4.0" in one.ImageComments and "A Hospital" in one.ImageComments
        for keyword in ("PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"):
            assert not one[keyword].value
        assert not {"InstitutionName", "SeriesDescription", "OperatorsName", "SeriesDate"} & set(one.dir())


def test_names_follow_from_the_secret_and_the_content() -> None:
    uids = {name: one.SOPInstanceUID for name, one in opened(exported.case()).items()}
    assert all(UID(uid).is_valid for uid in uids.values()) and len(set(uids.values())) == 4
    again = {name: one.SOPInstanceUID for name, one in opened(exported.case()).items()}
    assert again == uids
    other = {one.SOPInstanceUID for one in opened(exported.case(secret=bytes(32))).values()}
    assert not other & set(uids.values())
    later = {name: one.SOPInstanceUID for name, one in opened(exported.case(version=4)).items()}
    assert later["film-01.dcm"] == uids["film-01.dcm"] and later["manifest-1.dcm"] != uids["manifest-1.dcm"]
    repainted = opened(exported.case(films=[{"pixels": exported.drawn(9)}]))
    assert repainted["film-01.dcm"].SOPInstanceUID != uids["film-01.dcm"]


def test_films_of_two_patients_are_never_one() -> None:
    files = opened(exported.case(films=[{}, {"person": "q", "sex": "F", "age": 1.0}]))
    one, other = files["film-01.dcm"], files["film-02.dcm"]
    assert one.PatientID != other.PatientID and one.StudyInstanceUID != other.StudyInstanceUID
    assert (other.PatientAge, other.PatientSex) == ("012M", "F")
    for number, picture in ((1, one), (2, other)):
        manifest = hd.ko.KeyObjectSelectionDocument.from_dataset(files[f"manifest-{number}.dcm"])
        assert manifest.PatientID == picture.PatientID
        named = [ref.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for ref in manifest.content.get_references()]
        assert named == [picture.SOPInstanceUID, files[f"additional-{number}.dcm"].SOPInstanceUID]


@pytest.mark.parametrize(
    "text", [exported.EVERYTHING, *(pytest.param(text, marks=pytest.mark.slow) for text in exported.HOSTILE)]
)
def test_hostile_words_are_no_commands(text: str) -> None:
    case = replace(exported.hostile(text), asked=Asked(codes="iheradtf"))
    files = opened(case)
    manifest = hd.ko.KeyObjectSelectionDocument.from_dataset(files["manifest-1.dcm"])
    described = next(one.value for one in manifest.content[0].ContentSequence if one.name.value == "113012")
    assert described.count("mirc:") == 2  # those that are ours
    assert files["film-01.dcm"].Modality == "OT"
    name = manifest.content.get_observer_contexts()[0].observer_identifying_attributes.name
    assert name.components[0].count("=") == 0 and not name.given_name


def test_a_case_without_a_film_is_refused() -> None:
    told = {name: value for name, value in exported.TOLD.items() if name != "images"}
    with pytest.raises(HilumError, match="no film"):
        made("tce", exported.case(told))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    for name, case in {"plain": exported.case(), "hostile": exported.hostile(exported.HOSTILE[12])}.items():
        with zipfile.ZipFile(io.BytesIO(made("tce", case))) as archive:
            archive.extractall(tmp_path / name)
        for path in sorted((tmp_path / name).glob("*.dcm")):
            told = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False, timeout=60).stderr
            assert not [line for line in told.splitlines() if line.startswith("Error")], (path.name, told)
