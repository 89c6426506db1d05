"""Reports from a table into an archive that can be asked, whatever interrupts it; and asked over both transports."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hilum import Client, HilumError
from hilum.locate import Endpoint
from services.core.blobs import Blobs
from services.core.errors import ErrorCode
from services.core.errors import HilumError as ServiceError
from services.core.facts import images, jobs, reports
from services.core.store.reports import WORDS, meaning
from services.core.types import Job, JobState, Report
from services.engine.supervisor import EngineProcess
from services.ingest.encode_api import EncodeApi
from services.ingest.report_index import KIND
from services.query.by import Words
from services.query.images import Images
from services.query.reports import How, ReportQuery, SearchReports
from services.query.reports.api import ReportsApi
from services.query.search.ordinary import Ordinary
from services.transport.encode_client import EncodeClient
from tests.kit.films import ramp, stored_bytes
from tests.kit.ingesting import Room, room
from tests.kit.served import served

TEXTS = [
    ("No acute disease.", "Normal chest."),
    ("Large left effusion. No pneumothorax.", "Effusion."),
    ("Small right pneumothorax, no effusion.", "Pneumothorax."),
    ("The heart is enlarged.", ""),
]


@pytest.fixture
def opened(tmp_path: Path, engine: EngineProcess) -> Iterator[Room]:
    with room(tmp_path / "data", engine.url) as opened:
        yield opened


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(len(TEXTS)):
        data = stored_bytes(ramp(seed=number), PatientID=f"P{number}", StudyInstanceUID=f"1.2.3.{number}",
                            SOPInstanceUID=f"1.2.3.{number}.1")  # fmt: skip
        (folder / f"{number}.dcm").write_bytes(data)
    with (tmp_path / "reports.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("study_id", "findings", "impression"), *((f"1.2.3.{n}", *text) for n, text in enumerate(TEXTS)),
             ("1.2.3.99", "Of a study without films: effusion.", "")]
        )  # fmt: skip
    return folder


def search(room: Room) -> SearchReports:
    return SearchReports(room.facts, room.store, EncodeClient.local(EncodeApi(room.facts, room.registry, room.pool)))


def indexing(room: Room) -> Job:
    job, worker = jobs.submit(room.facts, KIND, {"dataset": ""}), room.worker()
    worker.start()
    try:
        return room.wait(job.job_id)
    finally:
        worker.stop()


def test_an_ingest_makes_its_reports_findable(opened: Room, films: Path) -> None:
    done = opened.ingest(films, reports=films.parent / "reports.csv")
    assert done.state is JobState.SUCCEEDED and done.result["reports"] == 4 and done.result["reports_without"] == []
    [spec] = [spec for spec in opened.registry.specs().values() if spec.text_space]
    assert opened.store.report_collections() == sorted([WORDS, meaning(spec)])
    assert opened.store.count_reports(WORDS) == opened.store.count_reports(meaning(spec)) == 7
    for how in How:
        [first, *_] = search(opened)(ReportQuery(Words("large effusion"), how=how, model="")).hits
        assert "ffusion" in first.text and len(first.images) == 1, how
    assert indexing(opened).result["unchanged"] == 14  # there is nothing to do


@pytest.mark.parametrize("point", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_interrupted_it_goes_on(opened: Room, films: Path, point: int) -> None:
    """After the words, and after the meanings: the ledger says what is done."""
    opened.ingest(films)
    study = images.get(opened.facts, images.ids_of(opened.facts)).popitem()[1].study_id
    images.save_reports(opened.facts, [Report("demo", str(study), "findings", "A quetzalcoatlus.")])
    seen: list[str] = []

    def reached(name: str) -> None:
        seen.append(name)
        if seen.count("reports_put") == point and threading.current_thread().name == "ingest":
            raise OSError("as if the process had died here")

    opened.reached = reached
    assert indexing(opened).state is JobState.FAILED
    opened.reached = lambda name: None
    done = indexing(opened)
    assert done.state is JobState.SUCCEEDED and done.result["stored"] == 3 - point
    assert len(search(opened)(ReportQuery(Words("quetzalcoatlus"))).hits) == 1
    assert all(reports.begun(opened.facts, "demo", index) for index in ("bm25", *_readers(opened)))


def _readers(room: Room) -> list[str]:
    return [spec.fingerprint for spec in room.registry.specs().values() if spec.text_space]


def test_nothing_indexed_is_said_with_what_to_do(opened: Room, films: Path) -> None:
    opened.ingest(films)
    for how in How:
        with pytest.raises(ServiceError, match="hilum reports index") as caught:
            search(opened)(ReportQuery(Words("effusion"), how=how))
        assert caught.value.code is ErrorCode.FAILED_PRECONDITION


def test_without_a_text_tower_words_answer_and_say_so(opened: Room, films: Path) -> None:
    opened.ingest(films, reports=films.parent / "reports.csv", models=("small",))
    answer = search(opened)(ReportQuery(Words("effusion")))
    assert answer.hits and "by words alone" in answer.provenance.notes[0] and not answer.provenance.models


def test_both_transports_answer_alike(opened: Room, films: Path) -> None:
    opened.ingest(films, reports=films.parent / "reports.csv")
    encode = EncodeClient.local(EncodeApi(opened.facts, opened.registry, opened.pool))
    pictures = Images(opened.facts, Blobs(opened.settings.data_dir / "blobs"))
    api = ReportsApi(opened.facts, opened.store, encode, Ordinary(opened.facts, pictures, encode))
    with served([api]) as at, Client(endpoint=Endpoint(at.grpc)) as client, httpx.Client(base_url=at.url) as http:
        found = client.search_reports("no effusion", where="modality = DX", limit=3)
        told = http.post(
            "/v1/reports:search", json={"text": "no effusion", "filter": "modality = DX", "limit": 3}
        ).json()
        assert [hit.text for hit in found] == [hit["text"] for hit in told["hits"]] != []
        assert found.indexed == told["indexed"] == 7 and found.provenance["filter"] == told["provenance"]["filter"]
        assert found.rows()[0]["rank"] == 1 and len(found.to_pandas()) == 3 and found[0].films[0].study_id
        film = found[0].films[0].image_id
        own = client.search_reports(id=film, exclude="none", limit=7)
        assert {hit.study_id for hit in own} > {hit.study_id for hit in client.search_reports(id=film, limit=7)}
        bad = ({}, {"text": " "}, {"text": "x", "how": "so"}, {"text": "x", "exclude": "all"}, {"image_id": "x"})
        for asked in bad:
            answer = http.post("/v1/reports:search", json=asked)
            assert answer.status_code == 400 and "INVALID_ARGUMENT" in answer.text, asked
        with pytest.raises(HilumError, match="no reports; ingest"):
            client.index_reports("nowhere")
        assert http.post("/v1/reports:index", json={}).json()["kind"] == KIND == client.index_reports("demo").kind
