"""Films given away: nothing that names a person, the same people and days apart as in the archive, the same pixels."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

from services.core.ids import day_shift, pseudonym
from services.ingest.deid import basic_profile, keyed_uid
from services.ingest.given_away import give_away
from services.ingest.reasons import BadFilm, Reason
from services.ingest.strip import stripped
from tests.kit.canaries import Canaries, contents, jpeg, picture
from tests.kit.films import chest_dataset, ramp, saved
from tests.kit.ingesting import FIXTURES

SECRET = bytes(range(32))


def given(d: Dataset, dataset: str = "") -> pydicom.FileDataset:
    """The film as its reader gets it, through a file."""
    out, file = basic_profile(d, SECRET, dataset), BytesIO()
    out.save_as(file, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(file.getvalue()))


def test_no_canary_is_left_and_the_film_is() -> None:
    canaries = Canaries()
    film = pydicom.dcmread(BytesIO(saved(canaries.film(1, StudyDate=canaries.date("StudyDate")))))
    film.file_meta.SourceApplicationEntityTitle = canaries.word("title")
    film.file_meta.ImplementationVersionName = canaries.word("version")
    film.preamble = canaries.word("preamble").encode().ljust(128, b"\0")
    assert len(canaries.found(saved(film))) > 60
    out = given(film)
    again = BytesIO()
    out.save_as(again)
    assert canaries.found(again.getvalue()) == []
    assert (out.pixel_array == film.pixel_array).all()
    assert (out.Modality, out.ViewPosition, out.BodyPartExamined, out.Rows) == ("DX", "PA", "CHEST", 96)
    assert out.PatientIdentityRemoved == "YES"
    assert [code.CodeValue for code in out.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert not any(element.tag.is_private or element.tag.group >> 8 == 0x60 for element in out.iterall())


def test_people_days_and_uids_are_those_of_the_archive() -> None:
    stated = {"PatientID": "MRN 7", "StudyInstanceUID": "1.2.3", "PatientBirthDate": "19500101", "StudyTime": "101112"}
    films = [chest_dataset(ramp(), **stated, StudyDate=day, ContentDate=day) for day in ("20200229", "20210101")]
    first, second = (given(film, "demo") for film in films)
    who = pseudonym(SECRET, "patient", "demo", "MRN 7")
    assert first.PatientID == second.PatientID == str(first.PatientName) == who
    days = [np.datetime64(f"{d[:4]}-{d[4:6]}-{d[6:]}") for d in (first.StudyDate, second.StudyDate)]
    assert (days[1] - days[0]).astype(int) == 307
    assert (days[0] - np.datetime64("2020-02-29")).astype(int) == day_shift(SECRET, who)
    assert first.ContentDate == first.StudyDate and not first.PatientBirthDate and not first.StudyTime
    assert first.StudyInstanceUID == second.StudyInstanceUID == keyed_uid(SECRET, "demo", "1.2.3")
    assert first.SOPInstanceUID == first.file_meta.MediaStorageSOPInstanceUID != films[0].SOPInstanceUID
    assert first.SOPClassUID == films[0].SOPClassUID
    assert given(films[0], "other").PatientID != who


def test_a_film_of_nobody_has_no_dates() -> None:
    out = given(chest_dataset(ramp(), PatientID="", StudyDate="20200229"))
    assert not out.StudyDate and not out.PatientID and out.LongitudinalTemporalInformationModified == "REMOVED"


def test_compressed_pixels_are_copied() -> None:
    film = chest_dataset(ramp())
    film.compress(JPEG2000Lossless, generate_instance_uid=False)
    out = given(film)
    assert out.file_meta.TransferSyntaxUID == JPEG2000Lossless and out.PixelData == film.PixelData


@pytest.mark.parametrize("make", [picture, jpeg])
def test_pictures_keep_their_pixels_and_nothing_else(make: object) -> None:
    canaries = Canaries()
    data = make(canaries, 3)  # type: ignore[operator]
    assert canaries.found(data + b"".join(map(bytes, Image.open(BytesIO(data)).info.get("exif", b"").split(b"\0"))))
    out = stripped(data)
    assert canaries.found(out) == []
    with Image.open(BytesIO(data)) as before, Image.open(BytesIO(out)) as after:
        assert (np.asarray(before) == np.asarray(after)).all()
        assert not after.getexif() and "comment" not in after.info and "Author" not in after.info
    for cut in (len(out) // 2, 30, 9):
        with pytest.raises(BadFilm):
            stripped(data[:cut])


def test_a_progressive_jpeg_keeps_all_its_scans() -> None:
    out = BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "secret"
    Image.fromarray((ramp(200) >> 4).astype(np.uint8)).save(out, "JPEG", progressive=True, exif=exif)
    kept = stripped(out.getvalue() + b"secret behind the end")
    assert b"secret" not in kept
    assert (np.asarray(Image.open(BytesIO(kept))) == np.asarray(Image.open(out))).all()


def test_the_fixtures_with_names_in_them(tmp_path: Path) -> None:
    if not FIXTURES.exists():
        pytest.skip("the DICOM fixtures are not here")
    script = (
        "import sys, runpy; m = runpy.run_path(sys.argv[1]); f = m['Fixtures'](sys.argv[2]); "
        "m['write_phi'](f); m['write_duplicates'](f)"
    )
    subprocess.run([sys.executable, "-c", script, str(FIXTURES), str(tmp_path / "in")], check=True, capture_output=True)
    refused = give_away(tmp_path / "in", tmp_path / "out", SECRET)
    assert sorted(refused) == [
        ("dup_b_same_uid_diff_pixels.dcm", Reason.SAME_KEY_SAME_PIXELS),
        ("dup_c_same_uid_same_pixels.dcm", Reason.SAME_KEY_SAME_PIXELS),
        ("phi_burned_in.dcm", Reason.BURNED_IN_TEXT),
    ]
    written = list(contents(tmp_path / "out"))
    assert len(written) == 4  # two files and their names
    for _, data in written:
        for name in (b"DOE", b"998877", b"ACME PRIVATE", b"P000001", b"Anon^Test", b"phi_", b"21800506"):
            assert name not in data
    assert not [e for path in (tmp_path / "out").iterdir() for e in pydicom.dcmread(path) if e.tag.group >> 8 == 0x60]


def test_the_command_writes_names_refusals_and_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "DOE JANE.dcm").write_bytes(saved(chest_dataset(ramp(), PatientID="DOE")))
    (tmp_path / "in" / "hand.dcm").write_bytes(saved(chest_dataset(ramp(), BodyPartExamined="HAND")))

    def run() -> subprocess.CompletedProcess[str]:
        command = ["deidentify", tmp_path / "in", tmp_path / "out", "--data", tmp_path / "data"]
        return subprocess.run([sys.executable, "-m", "services.app.cli", *map(str, command)], capture_output=True,
                              text=True, timeout=120, check=False)  # fmt: skip

    first, second = run(), run()
    assert first.returncode == 3 and "hand.dcm" in first.stdout and "WRONG_BODY_PART" in first.stdout
    [path] = (tmp_path / "out").iterdir()
    assert path.suffix == ".dcm" and b"DOE" not in path.read_bytes()
    assert second.returncode == 1 and "empty folder" in second.stderr
