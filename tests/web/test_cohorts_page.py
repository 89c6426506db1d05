"""The pages of cohorts in a real browser: a form that counts while it is filled, a build, and what comes of it."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from services.analytics import atlas_router
from services.analytics.api import AnalyticsApi
from services.analytics.cohort import reading
from services.analytics.cohort.api import CohortsApi
from services.analytics.cohort.export import router
from services.analytics.cohort.export.api import CohortExportsApi
from services.analytics.cohort.spec import Spec
from services.analytics.jobs import AnalyticsWorker
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import open_facts
from services.core.ids import image_id
from services.core.sets import settle
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.web.pages import web_router
from services.transport.jobs import JobsApi
from tests.kit import browser as chromium_kit
from tests.kit.archive import Archive, spot
from tests.kit.browser import UP, Browser
from tests.kit.places import PlacesEncoder
from tests.kit.served import served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium_kit.binaries() is None, reason="chromium and chromedriver are not here"),
]
HOSTILE = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"
FILMS = 48
ALT = "\ue00a"
TEXT = "return document.querySelector(arguments[0])?.innerText ?? ''"
SHOTS = os.environ.get("HILUM_SHOTS")  # a folder: pictures of the pages are put there, to be looked at
PHONE, TABLET, DESK = (390, 844), (820, 1180), (1366, 900)


@dataclass
class Place:
    """Where the pages are."""

    url: str
    grpc: str
    browser: Browser

    def open(self, path: str) -> None:
        self.browser.open(self.url + path)

    def shot(self, name: str) -> None:
        for kind, (width, height) in {"phone": PHONE, "tablet": TABLET, "desk": DESK}.items():
            self.browser.resize(width, height)
            wide = self.browser.run("return document.documentElement.scrollWidth")
            assert wide <= width, f"{name} scrolls sideways on a {kind}: {wide}"
            if SHOTS:
                whole = self.browser.run("return document.documentElement.scrollHeight")
                self.browser.resize(width, min(whole, 3000))
                self.browser.screenshot(Path(SHOTS) / f"cohorts-{name}-{kind}.png")
        self.browser.resize(*DESK)


@pytest.fixture(scope="module")
def place(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("cohorts")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("cohort-web")])
    archive.open()
    for n in range(FILMS):
        archive.add(
            f"film-{n}", spot(0.5, (n % 10 + 1) / 11, 96), dataset="open" if n < 40 else "own",
            patient_id=f"p-{n // 2}", study_id=f"s-{n}", view="PA" if n % 3 else "AP", age=20.0 + n,
            sex="F" if n // 2 % 2 else "M", study_date=f"2021-{n % 2 + 1:02d}-01",
            licence="CC BY 4.0" if n < 40 else None, labels={"edema": "present" if n % 4 == 0 else "absent"},
        )  # fmt: skip
    archive.settle()
    settings = Settings(home, engine_url=engine.url)
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    apis = [
        query, AnalyticsApi(settings, facts), CohortExportsApi(settings, facts), JobsApi(facts),
        CohortsApi(settings, facts, store, archive.encode, lambda: settle(facts, store) and None),
    ]  # fmt: skip
    routers = [web_router(facts, query), atlas_router.build(home), router.build(settings, facts)]
    worker = AnalyticsWorker(settings, facts)
    worker.start()
    with served(apis, routers) as where, chromium_kit.chromium(*DESK) as browser:
        yield Place(where.url, where.grpc, browser)
        assert {u for u in browser.requested() if not u.startswith((where.url, "data:", "blob:", "about:"))} == set()
    worker.stop()
    query.close()
    archive.close()
    for encoder in archive.encoders:
        store.drop(encoder.spec.collection)
    store.close()
    facts.close()


def test_a_cohort_is_built_looked_at_exported_and_compared(place: Place) -> None:
    left = _built(place)
    _looked_at(place, left)
    _exported(place, left)
    browser = place.browser
    browser.run("document.querySelector('#rerun').click()")
    assert browser.wait("return document.querySelector('#diff').innerText.includes('The very same films')", seconds=60)
    assert browser.console() == []


def _built(place: Place) -> str:
    """How many films there are to be."""
    browser = place.browser
    place.open("/cohorts")
    assert browser.wait("return document.querySelector('#cohorts').innerText.includes('No cohorts yet')")
    assert browser.wait("return document.querySelectorAll('#flow .step').length === 1")
    assert f"{FILMS} films of 24 patients" in browser.run(TEXT, "#so-far")

    browser.find("#criteria textarea").type('view = "PA"')  # by hand: the count follows
    assert browser.wait("return document.querySelectorAll('#flow .step').length === 2")
    assert browser.wait("return document.querySelector('#so-far').innerText.startsWith('32 films')")
    browser.run("document.body.focus(); document.activeElement.blur()")
    browser.press("a")
    browser.put("#criteria li:nth-child(2) textarea", "labels.edema = presen")
    assert browser.wait("return !!document.querySelector('#criteria li:nth-child(2) .rule-error:not([hidden])')")
    assert browser.run(TEXT, "#refused") == ""
    assert all("cohorts:preview" in line and "400" in line for line in browser.console())
    browser.put("#criteria li:nth-child(2) textarea", "labels.edema = present")
    browser.put("#criteria li:nth-child(2) select", "out")
    assert browser.wait("return document.querySelectorAll('#flow .step.exclude').length === 1")
    left = str(browser.run(TEXT, "#so-far")).split()[0]
    browser.put("#head input", "no-edema")
    browser.put("#head .wide input", HOSTILE)
    browser.run("for (const d of document.querySelectorAll('.part-of')) d.open = true")
    browser.put("#split input", "train 0.5, test 0.5")
    browser.put("#table1 input", "age, sex, view")
    assert browser.wait("return document.querySelector('#spec').innerText.includes('fractions:')")
    shown = browser.run(TEXT, "#spec")
    assert "name: no-edema" in shown and "exclude: true" in shown
    browser.run("document.querySelector('[name=as][value=json]').click()")
    spec = json.loads(browser.run(TEXT, "#spec"))
    assert spec["title"] == HOSTILE and spec["split"] == {"fractions": {"train": 0.5, "test": 0.5}}
    assert [one["filter"] for one in spec["criteria"]] == ['view = "PA"', "labels.edema = present"]
    place.shot("form")

    browser.run("document.querySelector('#build').click()")
    browser.wait("return location.pathname === '/cohorts/no-edema'", seconds=60)
    return left


def _looked_at(place: Place, left: str) -> None:
    browser = place.browser
    assert browser.wait("return document.querySelectorAll('#flow .step').length === 3")
    assert browser.wait("return document.querySelectorAll('#tables table').length >= 1")
    assert browser.run("return document.title").startswith("no-edema")
    assert browser.run(TEXT, "#title") == HOSTILE
    films = browser.run(TEXT, "#facts")
    assert f"{left} films" in films
    assert "Table 1" in browser.run(TEXT, "#tables h2") or "TABLE 1" in browser.run(TEXT, "#tables h2")
    place.shot("cohort")


def _exported(place: Place, left: str) -> None:
    browser = place.browser
    browser.run("document.querySelector('#formats [value=jpg]').click()")
    assert browser.wait("return !document.querySelector('#right-of').hidden")
    browser.put("#right", "own & <films>")
    href = browser.run("return document.querySelector('#save').href")
    answer = httpx.get(href)
    with zipfile.ZipFile(BytesIO(answer.content)) as saved:
        names = saved.namelist()
        assert "no-edema/films.csv" in names and "no-edema/SHA256SUMS" in names
        assert sum(name.endswith(".jpg") for name in names) == int(left)
        assert "own &amp; &lt;films&gt;" in saved.read("no-edema/README.md").decode()
    within = browser.run("return document.querySelector('#links a').getAttribute('href')")
    assert httpx.get(place.url + within).status_code == 200 and "no-edema" in within


RICH = {
    "title": "yes: #1 'quoted' \"twice\" – ünïcode",
    "unit": "patient",
    "seed": 11,
    "criteria": [
        {"filter": "age >= 20"},
        {"name": "in time", "exclude": True,
         "time": {"anchor": "labels.edema = present", "which": "last", "from_day": -30, "to_day": 0}},
        {"similar": {"image_ids": [image_id("open", "film-3")], "model": "cohort-web", "top": 47}, "level": "patient",
         "films": "all"},
        {"filter": 'NOT view = "LATERAL"', "among": "remaining"},
    ],
    "caps": [{"per": "patient", "most": 3}, {"per": "patient", "most": 2, "which": "random", "studies": True}],
    "sample": {"how": "target", "size": 12, "targets": [{"variable": "sex", "shares": {"F": 0.5, "M": 0.5}}]},
    "split": {"fractions": {"train": 0.5, "test": 0.5}, "stratify": ["sex"]},
    "table1": {"variables": ["age", "labels.edema"], "by": "split"},
}  # fmt: skip


def test_a_form_filled_from_a_specification_says_that_specification(place: Place) -> None:
    """Whatever the contract can say is read from a cohort, shown, and told again the same, in JSON and in YAML."""
    browser = place.browser
    job = httpx.post(f"{place.url}/v1/cohorts", json={"spec": {**RICH, "name": "rich"}}).json()
    deadline = time.monotonic() + 60
    while (state := httpx.get(f"{place.url}/v1/jobs/{job['job_id']}").json())["state"] not in ("succeeded", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert state["state"] == "succeeded", state["error"]
    place.open("/cohorts?from=rich")
    assert browser.wait("return document.querySelectorAll('#criteria li').length === 4")
    assert browser.wait("return document.querySelectorAll('#flow .step').length === 7")
    yaml = browser.run("return document.querySelector('#spec').textContent")
    browser.run("document.querySelector('[name=as][value=json]').click()")
    told = json.loads(browser.run("return document.querySelector('#spec').textContent"))
    assert told == Spec.parse(RICH).as_json() | {"criteria": told["criteria"]}
    assert Spec.parse(told) == Spec.parse(reading.parsed(yaml)) == Spec.parse(RICH)
    place.shot("rich")
    place.open("/cohorts/rich")
    assert browser.wait("return document.querySelectorAll('#tables table').length >= 3")
    browser.run("document.querySelector('#against').value = 'no-edema'; document.querySelector('#compare').click()")
    assert browser.wait("return document.querySelectorAll('#diff tbody tr').length > 0")
    browser.run("document.querySelector('#diff details').open = true")
    place.shot("diff")
    assert browser.console() == []


def test_what_cannot_be_is_said_and_hostile_names_lead_nowhere(place: Place) -> None:
    browser = place.browser
    assert httpx.get(f"{place.url}/cohorts/..%2F..%2Fetc").status_code in (400, 404)
    assert httpx.get(f"{place.url}/cohorts/<script>").status_code == 400
    place.open("/cohorts/nobody")
    assert browser.wait("return document.querySelector('#told').innerText.includes('No such cohort')")
    place.open("/cohorts?from=nobody")
    assert browser.wait("return document.querySelector('#refused').innerText.includes('No such cohort')")
    place.open("/cohorts")
    browser.wait("return document.querySelectorAll('#flow .step').length > 0")
    browser.run("document.querySelector('#build').click()")
    assert browser.wait("return document.querySelector('#refused').innerText.includes('name')")
    browser.console()  # the browser tells of the 404s that were asked for


def test_rows_are_moved_by_keys_and_a_cohort_is_built_on(place: Place) -> None:
    browser = place.browser
    place.open("/cohorts?from=no-edema")
    assert browser.wait("return document.querySelectorAll('#criteria li').length === 2")
    first = "return document.querySelector('#criteria li textarea').value"
    assert browser.run(first) == 'view = "PA"'
    browser.run("document.querySelector('#criteria li:nth-child(2) textarea').focus()")
    keys = [("keyDown", ALT), ("keyDown", UP), ("keyUp", UP), ("keyUp", ALT)]
    strokes = [{"type": kind, "value": key} for kind, key in keys]
    browser.send("/actions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})
    assert browser.wait("return document.querySelector('#criteria li textarea').value === 'labels.edema = present'")
    assert browser.run("return document.activeElement.closest('li') === document.querySelector('#criteria li')")
    assert browser.run("return document.querySelector('#head input').value") == ""
    assert browser.console() == []
