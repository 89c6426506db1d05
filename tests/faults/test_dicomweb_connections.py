"""A DICOMweb server behind a bad line: what passes is waited out, what does not is told, and nothing hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from services.core.dicomweb import from_environment
from services.core.errors import ErrorCode, HilumError
from services.core.limits import MAX_UPLOAD_BYTES
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources import dicomweb
from services.ingest.sources.dicomweb import DicomWeb
from services.ingest.sources.web import Patience, TooLongError, Web
from tests.kit.films import ramp, stored_bytes
from tests.kit.orthanc import MISSING, Orthanc, binary, orthanc

pytestmark = pytest.mark.skipif(binary() is None, reason=MISSING)
FILMS = 8
SHORT = Patience(connect=1, silence=0.6, question=4, tries=3)
STUBBORN = Patience(connect=1, silence=2, question=30, tries=12)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        server.store(*[stored_bytes(ramp(256, seed=i), SeriesInstanceUID=f"1.2.{i}") for i in range(FILMS)])
        yield server


@pytest.fixture
def pacs(running: Orthanc) -> Iterator[Orthanc]:
    running.relay.heal()
    yield running
    running.relay.heal()


def source(pacs: Orthanc, monkeypatch: pytest.MonkeyPatch, patience: Patience) -> DicomWeb:
    monkeypatch.setattr(dicomweb, "PATIENCE", patience)
    return DicomWeb(pacs.server(), "", "", "", str)


def test_resets_are_asked_again(pacs: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    pacs.relay.resets = 0.3
    with closing(source(pacs, monkeypatch, STUBBORN)) as films:
        listed = films.films()
        assert len(listed) == FILMS
        assert all(film.read()[128:132] == b"DICM" for film in listed)


def test_answers_that_break_off_are_asked_again(pacs: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(source(pacs, monkeypatch, STUBBORN)) as films:
        listed = films.films()
        whole = [film.read() for film in listed]
        pacs.relay.only, pacs.relay.cut, pacs.relay.cuts = "/instances/", 50_000, 5
        assert [film.read() for film in listed] == whole
        assert pacs.relay.cuts == 0


def test_a_film_that_never_comes_is_told_and_the_others_are_taken(
    pacs: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(source(pacs, monkeypatch, SHORT)) as films:
        bad, *good = films.films()
        pacs.relay.only, pacs.relay.silent = f"/instances/{bad.name}", True
        began = time.monotonic()
        with pytest.raises(BadFilm) as refused:
            bad.read()
        assert refused.value.reason is Reason.NOT_FETCHED
        assert time.monotonic() - began < SHORT.question + 3 * SHORT.silence
        assert all(film.read() for film in good)


def test_a_film_that_is_gone_is_told_at_once(pacs: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    pacs.store(stored_bytes(ramp(seed=99), SeriesInstanceUID="1.2.99", SOPInstanceUID="1.2.99.1"))
    with closing(source(pacs, monkeypatch, SHORT)) as films:
        [lost] = [film for film in films.films() if film.name == "1.2.99.1"]
        ident = pacs.web.post("/tools/lookup", content="1.2.99.1").json()[0]["ID"]
        pacs.web.delete(f"/instances/{ident}").raise_for_status()
        pacs.relay.lines()
        with pytest.raises(BadFilm) as refused:
            lost.read()
        assert refused.value.reason is Reason.GONE and len(pacs.relay.lines()) == 1


def test_a_silent_server_ends_the_listing_within_its_time(pacs: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    pacs.relay.silent = True
    began = time.monotonic()
    with closing(source(pacs, monkeypatch, SHORT)) as films, pytest.raises(HilumError) as gone:
        films.films()
    assert gone.value.code is ErrorCode.UNAVAILABLE and "submit the job again" in gone.value.client_message
    assert time.monotonic() - began < SHORT.question + 3 * SHORT.silence


def test_a_server_that_is_not_there_fails_the_job_instead_of_its_films(
    pacs: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(source(pacs, monkeypatch, SHORT)) as films:
        listed = films.films()
        pacs.relay.silent = True
        with pytest.raises(HilumError) as gone:
            listed[0].read()
    assert gone.value.code is ErrorCode.UNAVAILABLE


def test_a_server_that_comes_back_is_waited_for(pacs: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(source(pacs, monkeypatch, Patience(connect=1, silence=0.5, question=30, tries=2))) as films:
        listed = films.films()
        pacs.relay.silent = True
        timer = threading.Timer(3, pacs.relay.heal)
        timer.start()
        assert listed[0].read()
        timer.join()


def test_a_stopped_job_does_not_wait_for_its_server(pacs: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicomweb, "PATIENCE", Patience(silence=0.5))
    stop = threading.Event()
    with closing(DicomWeb(pacs.server(), "", "", "", str, stop.is_set)) as films:
        listed = films.films()
        pacs.relay.silent = True
        threading.Timer(1, stop.set).start()
        began = time.monotonic()
        with pytest.raises(HilumError) as stopped:
            listed[0].read()
        assert stopped.value.code is ErrorCode.CANCELLED and time.monotonic() - began < 5


def test_wrong_keys_and_wrong_addresses_are_told(pacs: Orthanc) -> None:
    with (
        closing(DicomWeb(pacs.server(PASSWORD="wrong"), "", "", "", str)) as films,
        pytest.raises(HilumError) as refused,
    ):
        films.films()
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION and "_TOKEN" in refused.value.client_message
    key = {"HILUM_DICOMWEB_PACS_USER": "hilum", "HILUM_DICOMWEB_PACS_PASSWORD": pacs.password}
    [wrong] = from_environment({"HILUM_DICOMWEB": f"pacs={pacs.rest}/app", **key})
    with closing(DicomWeb(wrong, "", "", "", str)) as films, pytest.raises(HilumError) as refused:
        films.films()
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION and "no DICOMweb" in refused.value.client_message


def test_an_answer_beyond_its_bound_is_not_gathered(pacs: Orthanc) -> None:
    server = pacs.server()
    with closing(Web(server, lambda: False, SHORT)) as web, pytest.raises(TooLongError):
        web.get(f"{pacs.url}/studies", 100, {})
    assert MAX_UPLOAD_BYTES == 64 * 2**20  # what `Instance.read` hands on as the bound
