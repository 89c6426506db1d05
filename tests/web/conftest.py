"""One browser, one served archive for all page tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.analytics.api import AnalyticsApi
from services.core.blobs import Blobs
from services.core.calibration import FILM, Curve
from services.core.config import Settings
from services.core.facts import calibrations, densities, images, open_facts
from services.core.facts.calibrations import Calibration
from services.core.facts.densities import Density
from services.core.labels import Label, LabelState
from services.core.store import VectorStore
from services.core.types import Report
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.searches_api import SearchesApi
from services.query.web.pages import web_router
from services.transport.jobs import JobsApi
from tests.kit.archive import Archive, spot
from tests.kit.browser import Browser, binaries, chromium
from tests.kit.places import PlacesEncoder
from tests.kit.served import served

HOSTILE = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"


@dataclass(frozen=True)
class Site:
    """Where the pages are, and the films on them: `row` from left to right, `hostile` with markup in its words, and
    `crowd`, dark where the others are bright: its first two are one film, its third is near everything. Scores of
    web-mute mean something to lateral films, which those of the crowd are, and nothing where edema is asked for."""

    url: str
    row: list[str]
    hostile: str
    crowd: list[str]


@pytest.fixture(scope="session")
def site(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home: Path = tmp_path_factory.mktemp("site")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(
        facts, store, Blobs(home / "blobs"), [PlacesEncoder("web"), PlacesEncoder("web-mute", 24, 1, False)]
    )
    archive.open()
    row = [
        archive.add(
            f"film-{i}", spot(0.5, (i + 1) / 11, 96), patient_id=f"p-{i // 2}", study_id=f"s-{i}", rows=2048,
            columns=2048, view="PA" if i % 2 else "AP", sex="F", age=41.0 + i, study_date=f"2021-0{i % 9 + 1}-01",
            labels={"edema": "present" if i < 4 else "absent", "mass": "uncertain"}
            | ({"fracture": "present"} if i > 6 else {}),
        ).image_id
        for i in range(10)
    ]  # fmt: skip
    hostile = archive.add(
        "hostile", spot(0.95, 0.05, 96), dataset="other", patient_id=HOSTILE, study_id="s", licence=HOSTILE,
        attribution=HOSTILE,
    )  # fmt: skip
    object.__setattr__(hostile, "labels", (Label(HOSTILE, LabelState.PRESENT, HOSTILE),))
    crowd = [
        archive.add(
            f"crowd-{i}", 255 - spot(max(i, 1) / 30, 0.5, 96), dataset="crowd", pixel_sha256=f"{max(i, 1):064x}",
            phash="", view="LATERAL",
        ).image_id
        for i in range(30)
    ]  # fmt: skip
    archive.settle()
    often = [(image_id, Density(0.5, 90 if image_id == crowd[2] else 1)) for image_id in (*row, *crowd)]
    densities.save(facts, archive.spec("web").fingerprint, often)
    few, some = (0.1, 0.3), {"labelled": 2}
    known = Curve((-1.0, 1.0), (0.5, 0.999), (0.4, 0.99), (0.6, 1.0), threshold=0.1)
    calibrations.save(facts, archive.spec("web-mute").fingerprint, FILM, [
        Calibration(FILM, "", "LATERAL", known, some),
        Calibration(FILM, "edema", "", Curve((0.0, 1.0), few, few, few), some),
    ])  # fmt: skip
    images.save_reports(facts, [Report("other", "s", "findings", HOSTILE)])
    api = QueryApi(facts, store, archive.encode, archive.blobs)
    analyses = AnalyticsApi(Settings(home, engine_url=engine.url), facts)
    apis = [api, SearchesApi(facts, api.pages), archive.encode_api, analyses, JobsApi(facts)]
    with served(apis, [web_router(facts, api)]) as where:
        yield Site(where.url, row, hostile.image_id, crowd)
    api.close()
    archive.close()
    for encoder in archive.encoders:
        store.drop(encoder.spec.collection)
    store.close()
    facts.close()


@pytest.fixture(scope="session")
def session_browser() -> Iterator[Browser]:
    if binaries() is None:
        pytest.skip("chromium and chromedriver are not installed")
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(session_browser: Browser, site: Site) -> Iterator[Browser]:
    """The browser. After each test: it asked nobody but the site, and the console has no complaint that the test did
    not take (`console()`) itself."""
    session_browser.open("about:blank")
    session_browser.console()
    session_browser.requested()
    yield session_browser
    elsewhere = {
        url for url in session_browser.requested() if not url.startswith((site.url, "blob:", "data:", "about:"))
    }
    assert not elsewhere
    assert session_browser.console() == []
