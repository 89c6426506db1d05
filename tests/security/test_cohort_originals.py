"""Original films of a cohort: found by their hashes, written without what names people, and on again after a stop."""

from __future__ import annotations

import csv
import json
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless
from typer.testing import CliRunner

from hilum import Client
from hilum.folder import SUMS, Folder
from hilum.locate import Endpoint
from services.analytics.cohort.export.api import CohortExportsApi
from services.analytics.cohort.export.bundle import FORMATS
from services.analytics.cohort.export.handing_on import reason
from services.app import cli
from services.app.originals import FOLDER, NOT_FOUND, Originals, wanted
from services.core.facts import images
from services.core.types import ImageRecord
from services.engine.supervisor import EngineProcess
from tests.kit.canaries import Canaries, contents, jpeg, picture
from tests.kit.cohorts import NAME, publish_stored
from tests.kit.films import ramp, saved
from tests.kit.ingesting import Room, room
from tests.kit.served import served

RIGHT = "own films"


@dataclass
class Given:
    """An ingested folder of canaries, a cohort of it, and the folder again as somebody else keeps it."""

    room: Room
    canaries: Canaries
    source: Path
    films: dict[str, ImageRecord]
    grpc: str

    def export(self, to: Path, source: Path | None = None, stop_after: int = 0) -> tuple[Originals, Path]:
        """In all formats, with originals; `stop_after` files of them something raises."""
        made: list[Originals] = []

        def more(folder: Folder) -> None:
            films = wanted(_rows(folder.home), partial(reason, right=RIGHT))
            originals = Originals(list(films), source or self.source, self.room.secret, self.room.pool)
            made.append(originals)
            if stop_after:
                folder.write = partial(_stopping, folder.write, [stop_after])  # type: ignore[method-assign]
            originals.into(folder)

        with Client(endpoint=Endpoint(self.grpc)) as client:
            client.export_cohort(NAME, to, FORMATS, right=RIGHT, more=more)
        return made[0], to


@pytest.fixture(scope="module")
def given(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    home, canaries = tmp_path_factory.mktemp("originals"), Canaries()
    source, again = home / "first", home / "again"
    people = [canaries.word("PatientID") for _ in range(2)]
    films = [
        pydicom.dcmread(BytesIO(saved(canaries.film(n, PatientID=people[n % 2], StudyDate=canaries.date("StudyDate")))))
        for n in range(4)
    ]
    for folder in (source, again / canaries.word("folder")):
        folder.mkdir(parents=True)
        (folder / f"{canaries.word('name')}.png").write_bytes(picture(canaries, 60) if folder == source else b"")
    png = next(source.iterdir()).read_bytes()
    photo = jpeg(canaries, 61)
    (source / "photo.jpg").write_bytes(photo)
    for number, film in enumerate(films):
        (source / f"{number}.dcm").write_bytes(saved(film))
    with room(home / "data", engine.url) as here:
        here.ingest(source)
        stored = images.get(here.facts, images.ids_of(here.facts))
        assert len(stored) == 6
        publish_stored(here.settings.data_dir, here.facts, list(stored.values()))
        other = next(again.iterdir())
        next(other.iterdir()).write_bytes(png)
        (other / "photo.jpeg").write_bytes(photo)
        films[0].compress(JPEG2000Lossless, generate_instance_uid=False)
        for film in films[:3]:  # the fourth is lost
            (other / canaries.word("file")).with_suffix(".dcm").write_bytes(saved(film))
        (other / "strange.dcm").write_bytes(saved(canaries.film(99)))
        (other / "torn.dcm").write_bytes(saved(canaries.film(98))[:900])
        with served([CohortExportsApi(here.settings, here.facts)]) as where:
            yield Given(here, canaries, again, stored, where.grpc)


def test_originals_are_found_cleaned_and_resumed_and_nothing_names_a_person(given: Given, tmp_path: Path) -> None:
    with pytest.raises(_StoppedError):
        given.export(tmp_path / "out", stop_after=3)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / FOLDER).glob("*.*")}
    assert 0 < len(before) < 5
    originals, out = given.export(tmp_path / "out")
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    assert originals.missing == {NOT_FOUND: 1}

    rows = csv.DictReader((out / f"{FOLDER}.csv").read_text().splitlines())
    index = {row["image_id"]: row for row in rows}
    assert index.keys() == given.films.keys()
    assert Counter(row["found_by"] for row in index.values()) == {"bytes": 4, "pixels": 1, "": 1}
    for image_id, row in index.items():
        if row["file"].endswith(".dcm"):
            film, record = pydicom.dcmread(out / row["file"]), given.films[image_id]
            assert film.PatientID == record.patient_id == str(film.PatientName)
            assert film.StudyDate == (record.study_date or "").replace("-", "")
            assert film.PatientIdentityRemoved == "YES"
            assert film.pixel_array.shape == (record.rows, record.columns)
    seeds = {ramp(96, seed=n).tobytes() for n in range(3)}
    assert {pydicom.dcmread(path).pixel_array.tobytes() for path in (out / FOLDER).glob("*.dcm")} == seeds

    check = subprocess.run(["sha256sum", "-c", "--strict", SUMS], cwd=out, capture_output=True, check=False)
    assert check.returncode == 0, check.stdout
    assert len(list((out / "pictures").iterdir())) == 6
    found = {name: where for name, data in contents(out) if (where := given.canaries.found(data))}
    assert not found
    assert any(b"p-" in data for _, data in contents(out)), "the search sees nothing"
    everything = b"".join(data for _, data in contents(given.source))
    assert len(given.canaries.found(everything)) > 60


@pytest.mark.slow
def test_the_command_writes_the_same_and_needs_the_archives_key(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_URL", given.grpc)
    monkeypatch.setenv("HILUM_DATA", str(given.room.settings.data_dir))
    asked = ["cohort", "export", NAME, "--to", str(tmp_path / "out.zip"), "--right", RIGHT, "--json"]
    source = ["--source", str(given.source)]
    done = CliRunner().invoke(cli.app, [*asked, "--format", "ids,dicom", *source])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["missing"] == {NOT_FOUND: 1} and told["kept"] == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as made:
        assert sum(name.startswith(f"out/{FOLDER}/") for name in made.namelist()) == 5
    assert CliRunner().invoke(cli.app, [*asked, "--format", "dicom"]).exit_code == 2
    assert CliRunner().invoke(cli.app, [*asked, "--format", "csv", *source]).exit_code == 2
    monkeypatch.setenv("HILUM_DATA", str(tmp_path / "elsewhere"))
    asked[4] = str(tmp_path / "other")
    refused = CliRunner().invoke(cli.app, [*asked, "--format", "dicom", *source])
    assert refused.exit_code == 1 and "FAILED_PRECONDITION" in refused.output
    assert not (tmp_path / "elsewhere").exists()


def test_what_no_licence_allows_stays_out(given: Given, tmp_path: Path) -> None:
    rows = [
        {**_row(one), "licence": licence} for one, licence in zip(given.films.values(), (*"ab", "CC0"), strict=False)
    ]
    films = list(wanted(rows, partial(reason, right="")))
    originals = Originals(films, given.source, given.room.secret, given.room.pool)
    originals.into(Folder(tmp_path / "out"))
    written = list((tmp_path / "out" / FOLDER).iterdir()) if (tmp_path / "out" / FOLDER).exists() else []
    assert len(written) == sum(bool(one.file) for one in films) <= 1
    assert originals.missing["licence: handing on not recognised"] == 2


class _StoppedError(Exception):
    pass


def _stopping(write: object, left: list[int], name: str, *rest: object) -> None:
    left[0] -= 1
    if left[0] < 0:
        raise _StoppedError
    write(name, *rest)  # type: ignore[operator]


def _rows(home: Path) -> list[dict[str, str | None]]:
    import pyarrow.parquet as pq

    found: list[dict[str, str | None]] = pq.read_table(home / "films.parquet").to_pylist()
    return found


def _row(one: ImageRecord) -> dict[str, str | None]:
    names = ("image_id", "dataset", "patient_id", "bytes_sha256", "pixel_sha256", "licence", "burned_in")
    return {name: getattr(one, name) for name in names}
