"""Ingest from a real Orthanc: what is listed, what is fetched, and what a second run asks for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import images, jobs
from services.core.facts.schema import metadata
from services.core.ids import image_id
from services.core.types import JobState, Outcome
from services.encoders.base import Encoder
from services.engine.supervisor import EngineProcess
from services.ingest.jobs import KIND
from services.ingest.pipeline import Plan
from services.ingest.reconcile import Difference, Reconciled, reconcile
from services.ingest.sources.dicomweb import DicomWeb, Instance
from services.ingest.sources.files import Listed
from services.phantom.write import write_archive
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.films import chest_dataset, ramp, saved, stored_bytes
from tests.kit.ingesting import Room, room
from tests.kit.orthanc import MISSING, Orthanc, binary, orthanc

pytestmark = pytest.mark.skipif(binary() is None, reason=MISSING)
SOURCE = "dicomweb:pacs"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def pacs(running: Orthanc) -> Orthanc:
    running.empty()
    running.relay.heal()
    running.fetched()
    return running


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, running: Orthanc) -> Iterator[Room]:
    home = tmp_path_factory.mktemp("ingest")
    with (
        EngineProcess(home / "engine", log_file=home / "engine.log") as process,
        room(home / "data", process.url, tiny_registry(TinyEncoder())) as made,
    ):
        made.settings = replace(made.settings, dicomweb=(running.server(),))
        yield made


@pytest.fixture
def opened(lasting: Room) -> Iterator[Room]:
    """The room, empty before and after."""
    yield lasting
    if ids := images.ids_of(lasting.facts):
        lasting.store.delete(tiny(lasting).spec, list(ids))
    with lasting.facts.write() as db:
        for table in reversed(metadata.sorted_tables):
            db.execute(table.delete())


def tiny(opened: Room) -> Encoder:
    return opened.registry.get("tiny")


def ingest(opened: Room, **plan: object) -> dict[str, int]:
    job = opened.ingest(SOURCE, layout="dicomweb", **plan)  # type: ignore[arg-type]
    assert job.state is JobState.SUCCEEDED, job.error
    return {name: n for name, n in job.progress.counts.items() if n}


def reasons(opened: Room) -> dict[str, int]:
    [last, *_] = jobs.recent(opened.facts)
    found: dict[str, int] = {}
    for item in opened.items(last):
        if item.outcome is not Outcome.STORED:
            found[item.reason] = found.get(item.reason, 0) + 1
    return found


def test_phantom_archive_comes_in_once_and_new_films_alone_afterwards(
    pacs: Orthanc, opened: Room, tmp_path: Path
) -> None:
    write_archive(tmp_path / "phantom", 12, seed=3, size=128, workers=1)
    files = sorted((tmp_path / "phantom").rglob("*.dcm"))
    pacs.store(*[path.read_bytes() for path in files[:10]])
    assert ingest(opened) == {"stored": 10}
    assert pacs.fetched() == 10
    assert opened.everywhere() == {image_id("demo", path.stem) for path in files[:10]}

    assert ingest(opened) == {"unchanged": 10}
    assert pacs.fetched() == 0

    pacs.store(files[10].read_bytes())
    assert ingest(opened) == {"stored": 1, "unchanged": 10}
    assert pacs.fetched() == 1

    labels = tmp_path / "phantom" / "labels.csv"
    assert ingest(opened, labels=labels) == {"stored": 11}  # their facts are news, their pixels are not
    assert pacs.fetched() == 0
    assert all(record.labels for record in images.get(opened.facts, opened.everywhere()).values())


def test_changed_pixels_under_a_known_uid_are_seen_by_recheck_alone(pacs: Orthanc, opened: Room) -> None:
    film = chest_dataset(ramp(seed=1), SeriesInstanceUID="1.2.3")
    pacs.store(saved(film))
    assert ingest(opened) == {"stored": 1}
    pacs.empty()
    film.PixelData = ramp(seed=2).tobytes()
    pacs.store(saved(film))
    assert ingest(opened) == {"unchanged": 1}
    assert ingest(opened, recheck=True) == {"conflict": 1}


def test_refused_films_are_named_by_reason_and_not_fetched_again(pacs: Orthanc, opened: Room) -> None:
    good = stored_bytes(ramp(seed=1), SeriesInstanceUID="1.2.1")
    hand = stored_bytes(ramp(seed=2), SeriesInstanceUID="1.2.2", BodyPartExamined="HAND")
    state = stored_bytes(ramp(seed=3), SeriesInstanceUID="1.2.3", SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1")
    mammogram = stored_bytes(ramp(seed=4), SeriesInstanceUID="1.2.4", Modality="MG")
    named = stored_bytes(ramp(seed=5), SeriesInstanceUID="1.2.5", SOPInstanceUID="../../etc/x")
    pacs.store(good, hand, state, mammogram, named)
    wanted = {"WRONG_BODY_PART": 1, "PRESENTATION_STATE": 1, "BROKEN_HEADER": 1}
    assert ingest(opened) == {"stored": 1, "quarantined": 3}  # of the mammogram nobody asked
    assert reasons(opened) == wanted
    assert pacs.fetched() == 2  # the film and the hand
    assert ingest(opened) == {"unchanged": 1, "quarantined": 3}
    assert pacs.fetched() == 0
    assert {name: n for name, n in reasons(opened).items() if name} == wanted
    assert ingest(opened, recheck=True) == {"unchanged": 1, "quarantined": 3}
    assert pacs.fetched() == 2


def test_where_asks_the_server(pacs: Orthanc, opened: Room) -> None:
    pacs.store(
        stored_bytes(ramp(seed=1), SeriesInstanceUID="1.2.1", StudyDate="20230601"),
        stored_bytes(ramp(seed=2), SeriesInstanceUID="1.2.2", StudyDate="20240601"),
        stored_bytes(ramp(seed=3), SeriesInstanceUID="1.2.3", StudyDate="20240601", Modality="CR"),
        stored_bytes(ramp(seed=4), SeriesInstanceUID="1.2.4", StudyDate="20240601", BodyPartExamined="HAND"),
    )
    where = "Modality=DX;StudyDate=20240101-;BodyPartExamined=CHEST"
    assert ingest(opened, where=where) == {"stored": 1}
    assert pacs.fetched() == 1


def test_films_that_the_server_compresses_come_as_they_are_stored(pacs: Orthanc, opened: Room) -> None:
    from pydicom.uid import RLELossless

    film = chest_dataset(ramp(seed=1), SeriesInstanceUID="1.2.1")
    film.compress(RLELossless)
    out = io.BytesIO()
    film.save_as(out, enforce_file_format=True)
    pacs.store(out.getvalue())
    assert ingest(opened) == {"stored": 1}
    [record] = images.get(opened.facts, opened.everywhere()).values()
    plain = stored_bytes(ramp(seed=1), SeriesInstanceUID="1.2.1", SOPInstanceUID="1.2.99")
    pacs.store(plain)
    assert ingest(opened) == {"stored": 1, "unchanged": 1}
    assert {r.pixel_sha256 for r in images.get(opened.facts, opened.everywhere()).values()} == {record.pixel_sha256}


def test_a_feed_of_changes_lists_what_came_and_nothing_else(pacs: Orthanc, opened: Room) -> None:
    before = opened.settings
    opened.settings = replace(before, dicomweb=(pacs.server(CHANGES=pacs.rest),))
    try:
        films = [stored_bytes(ramp(seed=i), SeriesInstanceUID=f"1.2.{i}") for i in range(4)]
        pacs.store(*films[:3])
        assert ingest(opened) == {"stored": 3}
        pacs.relay.lines()
        pacs.store(films[3], stored_bytes(ramp(seed=9), SeriesInstanceUID="1.2.9", Modality="MG"))
        assert ingest(opened) == {"stored": 1}
        lines = pacs.relay.lines()
        assert not any("/dicom-web/studies?" in line for line in lines)  # nothing was listed
        assert sum("/dicom-web/studies/" in line for line in lines) == 1
        assert ingest(opened) == {}
        assert len(pacs.relay.lines()) <= 3
        assert ingest(opened, recheck=True) == {"unchanged": 4}
    finally:
        opened.settings = before


def test_an_orthanc_that_bounds_its_answers_is_listed_in_full(opened: Room, tmp_path: Path) -> None:
    """Orthanc counts its bound over all pages: behind it, paging finds nothing, and no answer says so."""
    with orthanc(tmp_path / "bounded", {"LimitFindResults": 12, "LimitFindInstances": 12}) as bounded:
        for i in range(40):
            bounded.store(
                stored_bytes(ramp(32, seed=i), SeriesInstanceUID=f"1.2.{i}", StudyDate=f"202401{i % 28 + 1:02d}")
            )
        first = bounded.web.get("/dicom-web/studies", params={"limit": 500}).json()
        second = bounded.web.get("/dicom-web/studies", params={"limit": 500, "offset": len(first)}).json()
        assert len(first) + len(second) < 40, "this Orthanc can be paged; the parts by date are not put to the test"
        before = opened.settings
        opened.settings = replace(before, dicomweb=(bounded.server(),))
        try:
            assert ingest(opened) == {"stored": 40}
        finally:
            opened.settings = before


def test_a_series_of_which_instances_are_withheld_is_told(opened: Room, tmp_path: Path) -> None:
    with orthanc(tmp_path / "bounded", {"LimitFindResults": 12, "LimitFindInstances": 12}) as bounded:
        for i in range(20):
            bounded.store(stored_bytes(ramp(32, seed=i), SeriesInstanceUID="1.2.3", StudyInstanceUID="1.2.4"))
        before = opened.settings
        opened.settings = replace(before, dicomweb=(bounded.server(),))
        try:
            found = ingest(opened)
            assert found["quarantined"] == 1 and reasons(opened) == {"WITHHELD": 1}
        finally:
            opened.settings = before


def test_a_server_is_held_against_the_dataset_that_came_from_it(pacs: Orthanc, opened: Room) -> None:
    films = [stored_bytes(ramp(seed=n), SOPInstanceUID=f"1.2.{n}", SeriesInstanceUID=f"1.3.{n}") for n in range(5)]
    pacs.store(*films)
    assert ingest(opened) == {"stored": 5}
    pacs.fetched()
    told, differences = reconciled(opened)
    assert told.counts == {"agree": 5} and not differences and pacs.fetched() == 0
    gone = image_id("demo", "1.2.1")
    for found in pacs.web.post("/tools/find", json={"Level": "Instance", "Query": {"SOPInstanceUID": "1.2.1"}}).json():
        pacs.web.delete(f"/instances/{found}").raise_for_status()
    pacs.store(stored_bytes(ramp(seed=9), SOPInstanceUID="1.2.9", SeriesInstanceUID="1.3.9"))
    opened.store.delete(tiny(opened).spec, [image_id("demo", "1.2.2")])
    told, differences = reconciled(opened)
    assert {(d.kind, d.image_id) for d in differences} == {
        ("gone", gone), ("not_stored", image_id("demo", "1.2.9")),
        ("facts_without_vector", image_id("demo", "1.2.2")),
    }  # fmt: skip
    done, _ = reconciled(opened, apply=True)
    assert done.removed == 1 and done.job_id
    worker = opened.worker()
    worker.start()
    assert opened.wait(done.job_id).state is JobState.SUCCEEDED
    worker.stop()
    assert opened.everywhere() == {image_id("demo", f"1.2.{n}") for n in (0, 2, 3, 4, 9)}
    assert not reconciled(opened)[1]


def test_a_server_that_holds_films_back_removes_none(
    opened: Room, pacs: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    pacs.store(stored_bytes(ramp(seed=1), SeriesInstanceUID="1.2.1"))
    pacs.store(stored_bytes(ramp(seed=2), SeriesInstanceUID="1.2.2"))
    assert ingest(opened) == {"stored": 2}
    listed = DicomWeb.films

    def short(self: DicomWeb, everything: bool = False) -> list[Listed]:
        first, *_ = listed(self, everything)
        assert isinstance(first, Instance)
        return [first, replace(first, name="1.2/1.3", found=replace(first.found, uid=""))]

    monkeypatch.setattr(DicomWeb, "films", short)
    with pytest.raises(HilumError, match="fewer films than it says"):
        reconciled(opened, apply=True)
    assert len(opened.everywhere()) == 2


def reconciled(opened: Room, apply: bool = False) -> tuple[Reconciled, list[Difference]]:
    plan = Plan(SOURCE, "demo", "dicomweb")
    told = list(reconcile(
        opened.settings, opened.facts, opened.store, Blobs(opened.settings.data_dir / "blobs"), opened.secret, plan,
        apply, lambda: jobs.submit(opened.facts, KIND, plan.spec(opened.secret)).job_id,
    ))  # fmt: skip
    assert isinstance(told[-1], Reconciled)
    return told[-1], [item for item in told if isinstance(item, Difference)]
