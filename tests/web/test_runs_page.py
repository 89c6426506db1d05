"""The page of analyses in a real browser: one is started, followed and opened; one that failed says why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.analytics import atlas_router
from services.analytics.api import AnalyticsApi
from services.analytics.jobs import AnalyticsWorker
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import Facts, jobs, open_facts, runs
from services.core.store import VectorStore
from services.core.types import JobState
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.web.pages import web_router
from services.transport.jobs import JobsApi
from tests.kit import browser as chromium_kit
from tests.kit.archive import Archive, spot
from tests.kit.browser import Browser
from tests.kit.places import PlacesEncoder
from tests.kit.served import served

pytestmark = pytest.mark.skipif(chromium_kit.binaries() is None, reason="chromium and chromedriver are not here")
FILMS = 36
ENTER = "\ue007"
TEXT = "return document.querySelector(arguments[0])?.innerText ?? ''"
SHOTS = os.environ.get("HILUM_SHOTS")  # a folder: pictures of the page are put there, to be looked at
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desk": (1366, 900)}


@dataclass
class Place:
    url: str
    browser: Browser
    facts: Facts

    def shot(self, name: str) -> None:
        for kind, (width, height) in SIZES.items():
            self.browser.resize(width, height)
            wide = self.browser.run("return document.documentElement.scrollWidth")
            assert wide <= width, f"{name} scrolls sideways on a {kind}: {wide}"
            if SHOTS:
                whole = self.browser.run("return document.documentElement.scrollHeight")
                self.browser.resize(width, min(whole, 3000))
                self.browser.screenshot(Path(SHOTS) / f"runs-{name}-{kind}.png")
        self.browser.resize(*SIZES["desk"])


@pytest.fixture(scope="module")
def place(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("runs")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("runs-one"), PlacesEncoder("runs-two")])
    archive.open()
    for n in range(FILMS):
        archive.add(
            f"film-{n}", spot(0.5, (n % 10 + 1) / 11, 96), patient_id=f"p-{n}", view="PA" if n % 3 else "AP",
            age=20.0 + n, sex="F" if n % 2 else "M", labels={"edema": "present" if n % 4 == 0 else "absent"},
        )  # fmt: skip
    archive.settle()
    settings = Settings(home, engine_url=engine.url)
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    routers = [web_router(facts, query), atlas_router.build(home)]
    worker = AnalyticsWorker(settings, facts)
    with (
        served([query, AnalyticsApi(settings, facts), JobsApi(facts)], routers) as where,
        chromium_kit.chromium(*SIZES["desk"]) as browser,
    ):
        worker.start()
        yield Place(where.url, browser, facts)
        assert {u for u in browser.requested() if not u.startswith((where.url, "data:", "blob:", "about:"))} == set()
    worker.stop()
    query.close()
    archive.close()
    for encoder in archive.encoders:
        store.drop(encoder.spec.collection)
    store.close()
    facts.close()


def choose(browser: Browser, kind: str) -> None:
    browser.run("document.querySelector(arguments[0]).click()", f"[name=kind][value={kind}]")


def test_an_analysis_is_started_followed_and_opened(place: Place) -> None:
    browser = place.browser
    browser.open(place.url + "/runs")
    assert browser.wait("return document.querySelector('#runs').innerText.includes('No analyses yet')")
    assert browser.wait(f"return document.querySelector('#matches').innerText === '{FILMS} films'")
    assert browser.run(TEXT, "#command") == "hilum analyze run"

    browser.put("#where", "labels.edema = presen")
    assert browser.wait("return !document.querySelector('#refused').hidden")
    assert all("images:facets" in line and "400" in line for line in browser.console())
    browser.put("#where", 'view = "PA" AND age >= 20')
    assert browser.wait("return document.querySelector('#matches').innerText === '24 films match'")
    assert browser.run("return document.querySelector('#refused').hidden")
    browser.find("#where").type(ENTER)  # begins nothing
    choose(browser, "retrieval")
    browser.put("#own select", "view")
    browser.run("document.querySelector('#own [type=checkbox]').click()")
    browser.run("document.querySelector('[name=model][value=runs-two]').click()")
    assert browser.run(TEXT, "#command") == (
        "hilum analyze retrieval --models runs-one --where 'view = \"PA\" AND age >= 20' --relevance view --fuse"
    )
    browser.run("document.querySelector('[name=model][value=runs-one]').click()")
    browser.run("document.querySelector('#create').requestSubmit()")
    assert browser.wait("return document.querySelector('#refused').innerText === 'Choose at least one model.'")
    for name in ("runs-one", "runs-two"):
        browser.run("document.querySelector(arguments[0]).click()", f"[name=model][value={name}]")
    choose(browser, "eda")
    assert browser.run("return document.querySelector('#of-models').hidden")
    place.shot("form")

    browser.run("document.querySelector('#create').requestSubmit()")
    assert browser.wait("return document.querySelector('#runs').innerText.includes('The archive')")
    assert browser.wait("return !!document.querySelector('#runs a[href$=\"/report\"]')", seconds=120)
    assert "succeeded" in browser.run(TEXT, "#runs") and 'view = "PA" AND age >= 20' in browser.run(TEXT, "#runs")
    (run,) = runs.recent(place.facts)
    assert run.manifest["kind"] == "eda" and run.manifest["asked"]["filter"] == 'view = "PA" AND age >= 20'
    browser.run("document.querySelector('#runs a[href$=\"/report\"]').click()")
    assert browser.wait("return location.pathname.endsWith('/report')")
    assert browser.console() == []


def test_what_cannot_be_asked_is_said_at_the_button(place: Place) -> None:
    browser = place.browser
    browser.open(place.url + "/runs")
    assert browser.wait("return document.querySelectorAll('#runs tr').length === 1")
    assert browser.run("return document.querySelector('#new').open") is False  # the list comes first
    browser.press("n")
    assert browser.run("return document.querySelector('#new').open")
    choose(browser, "compare")
    browser.run("document.querySelector('[name=model][value=runs-two]').click()")
    browser.run("document.querySelector('#create').requestSubmit()")
    assert browser.wait("return document.querySelector('#refused').innerText.includes('models')")
    assert all("analytics/jobs" in line and "400" in line for line in browser.console())


def test_a_failed_analysis_says_why(place: Place) -> None:
    job = jobs.submit(place.facts, "of-nobody", {})
    jobs.take(place.facts, "of-nobody", "me")
    jobs.finish(place.facts, job.job_id, "me", JobState.FAILED, {}, "no finding is stated both ways")
    runs.save(place.facts, job.job_id, job.job_id, "failed", {"kind": "label_quality", "asked": {}}, {})
    browser = place.browser
    browser.open(place.url + "/runs")
    assert browser.wait("return document.querySelector('#runs').innerText.includes('No finding is stated both ways.')")
    assert "Labels" in browser.run(TEXT, "#runs")
    place.shot("list")
