"""A whole reader study in a browser: three readers, one with a mouse, one with keys, one with fingers. One of them is
interrupted and loses the connection. What comes out is what was clicked."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from services.core.blobs import Blobs
from services.core.facts import Facts, open_facts, reader_studies, removal
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.readerstudy import order
from services.query.readerstudy.api import ReaderStudyApi, ReadingApi
from services.query.readerstudy.reading import hashed
from services.query.searches_api import SearchesApi
from services.query.web.pages import web_router
from tests.kit.archive import Archive, spot
from tests.kit.browser import ENTER, Browser
from tests.kit.places import PlacesEncoder
from tests.kit.served import served

BACKSPACE, SPACE = "\ue003", " "
SETS, FILMS, CHOOSE = 5, 6, 3
Picked = list[tuple[int, ...]]
HOSTILE = "<img src=x onerror=\"document.title='pwned'\">"


@dataclass(frozen=True)
class Place:
    url: str
    facts: Facts
    secrets: list[str]


@pytest.fixture(scope="module")
def place(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home: Path = tmp_path_factory.mktemp("readers")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("hidden-model")])
    archive.open()
    films = [
        archive.add(f"film-{n}", spot(0.2 + 0.6 * (n % 2), n / 24, 64), patient_id=f"p-{n}", phash="",
                    labels={"edema": "present"}).image_id
        for n in range(24)
    ]  # fmt: skip
    archive.settle()
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    apis = [query, ReaderStudyApi(facts, store, query.pages), ReadingApi(facts, query.images),
            SearchesApi(facts, query.pages)]  # fmt: skip
    with served(apis, [web_router(facts, query)]) as where:
        yield Place(where.url, facts, [*films, "hidden-model", "edema"])
    query.close()
    archive.close()
    store.drop(archive.spec("hidden-model").collection)
    store.close()
    facts.close()


@pytest.fixture
def browser(session_browser: Browser, place: Place) -> Iterator[Browser]:
    """The browser, which asks nobody but this place."""
    session_browser.open("about:blank")
    session_browser.console()
    session_browser.requested()
    yield session_browser
    session_browser.resize(1366, 768)
    own = (place.url, "blob:", "data:", "about:")
    assert not {url for url in session_browser.requested() if not url.startswith(own)}
    assert session_browser.console() == []


def ready(browser: Browser, number: int, films: int = FILMS, sets: int = SETS) -> None:
    """The set is on the screen with all its pictures."""
    browser.wait(
        "return document.querySelector('#at').textContent === arguments[0]"
        " && document.querySelectorAll('#films img').length === arguments[1]"
        " && [...document.images].every((i) => i.complete && i.naturalWidth)",
        f"Set {number} of {sets}", films,
    )  # fmt: skip


def begin(browser: Browser, place: Place, token: str) -> None:
    browser.open(f"{place.url}/read/{token}")
    browser.wait("return !document.querySelector('#start').hidden")
    browser.find("#begin").click()


def saved(browser: Browser) -> None:
    browser.wait("return document.querySelector('#kept').textContent === 'Saved'")


def tap(browser: Browser, selector: str) -> None:
    """A finger on the middle of an element."""
    x, y = browser.run(
        "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2]", selector,
    )  # fmt: skip
    for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
        browser.send("/goog/cdp/execute", {
            "cmd": "Input.dispatchTouchEvent", "params": {"type": kind, "touchPoints": points},
        })  # fmt: skip


def offline(browser: Browser, off: bool) -> None:
    browser.send("/goog/cdp/execute", {
        "cmd": "Network.emulateNetworkConditions",
        "params": {"offline": off, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    })  # fmt: skip


def make(browser: Browser, place: Place) -> str:
    """By the page's own form; the study's id."""
    browser.open(f"{place.url}/studies")
    browser.wait("return document.querySelector('#studies').textContent.includes('No study')")
    browser.find("input[name=title]").type(HOSTILE)
    for name, value in (("sets", SETS), ("nearest", CHOOSE), ("others", FILMS - CHOOSE), ("seed", 3)):
        browser.run(f"document.querySelector('input[name={name}]').value = arguments[0]", str(value))
    browser.find("#create button").click()
    browser.wait("return location.pathname.length > '/studies/'.length && document.querySelector('.caveats')")
    assert browser.find("#title").text == HOSTILE and browser.run("return document.title") != "pwned"
    return str(browser.url).rsplit("/", 1)[1]


def invite(browser: Browser, place: Place, study: str, name: str) -> str:
    if not browser.url.endswith(study):
        browser.open(f"{place.url}/studies/{study}")
        browser.wait("return document.querySelector('.caveats')")
    browser.find("#name").type(name)
    browser.find("#invite button").click()
    browser.wait("return document.querySelector('#link-of').textContent === arguments[0]", name)
    link = str(browser.run("return document.querySelector('#link-text').value"))
    assert link.startswith(f"{place.url}/read/")
    return link.rsplit("/", 1)[1]


def by_mouse(browser: Browser, place: Place, token: str, picked: Picked) -> None:
    """One choice too many is refused."""
    browser.resize(1024, 768)
    begin(browser, place, token)
    for number, films in enumerate(picked, 1):
        ready(browser, number)
        assert browser.run("return document.querySelector('#next').disabled")
        for film in films:
            browser.find(f".pick[data-place='{film}']").click()
        other = next(film for film in range(1, FILMS + 1) if film not in films)
        browser.find(f".pick[data-place='{other}']").click()
        assert "take one back" in browser.find("#count").text
        browser.find("#next").click()
    browser.wait("return !document.querySelector('#end').hidden")
    saved(browser)


def by_keys(browser: Browser, place: Place, token: str, picked: Picked) -> None:
    """Gone in the middle of the third set, back by the same link, a change of mind, the connection lost."""
    begin(browser, place, token)
    for number, films in enumerate(picked[:2], 1):
        ready(browser, number)
        browser.press(*map(str, films if number == 2 else (1, 2, 5)), ENTER)
    ready(browser, 3)
    browser.press("1")
    saved(browser)
    browser.open("about:blank")
    browser.open(f"{place.url}/read/{token}")
    browser.wait("return document.querySelector('#begin').textContent === 'Go on with set 3 of 5'")
    browser.press(ENTER)
    ready(browser, 3)
    assert browser.find("#count").text == "0 of 3 chosen"
    browser.press(BACKSPACE)
    ready(browser, 2)
    assert browser.find("#count").text == "3 of 3 chosen"
    browser.press(BACKSPACE)
    ready(browser, 1)
    browser.press("1", "5", "3", "4", ENTER)  # 1 and 5 are taken back
    ready(browser, 2)
    browser.press(ENTER)
    ready(browser, 3)
    time.sleep(0.5)  # the next set's pictures come ahead
    offline(browser, True)
    browser.press(*map(str, picked[2]), ENTER)
    ready(browser, 4)
    browser.wait("return document.querySelector('#kept').textContent.includes('1 answer is kept on this device')")
    browser.press(*map(str, picked[3]), ENTER)
    browser.wait("return document.querySelector('#kept').textContent.includes('2 answers are kept')")
    browser.press(*map(str, picked[4]))
    browser.wait("return document.querySelector('#count').textContent === 'Waiting for the films'")
    assert browser.run("return document.querySelector('#next').disabled"), "nobody judges films that are not there"
    assert _answered(place, token) == 2
    offline(browser, False)
    ready(browser, 5)
    saved(browser)
    assert _answered(place, token) == 4
    browser.console()  # it complains of the connection, rightly
    browser.wait("return !document.querySelector('#next').disabled")
    browser.press(ENTER)
    browser.wait("return !document.querySelector('#end').hidden")
    saved(browser)


def by_fingers(browser: Browser, place: Place, token: str, picked: Picked) -> None:
    """An upright tablet."""
    browser.resize(768, 1024)
    begin(browser, place, token)
    for number, films in enumerate(picked, 1):
        ready(browser, number)
        targets = "[...document.querySelectorAll('.pick, .look, .under-set button')]"
        sizes = browser.run(f"return {targets}.map((b) => [b.offsetWidth, b.offsetHeight])")
        assert min(itertools.chain.from_iterable(sizes)) >= 44
        assert browser.run(
            "return document.querySelector('#films').scrollHeight <= document.querySelector('#films').clientHeight"
        )
        for film in films:
            tap(browser, f".pick[data-place='{film}']")
        browser.wait("return document.querySelector('#count').textContent === '3 of 3 chosen'")
        tap(browser, "#next")
    browser.wait("return !document.querySelector('#end').hidden")
    saved(browser)


def test_three_readers_from_invitation_to_result(browser: Browser, place: Place) -> None:
    study = make(browser, place)
    tokens = {name: invite(browser, place, study, name) for name in ("Mouse", "Keys", "Touch")}
    picked: dict[str, Picked] = {
        "Mouse": [(1, 2, 3), (4, 5, 6), (1, 3, 5), (2, 4, 6), (1, 2, 6)],
        "Keys": [(2, 3, 4), (1, 5, 6), (1, 2, 6), (3, 4, 5), (1, 3, 6)],
        "Touch": [(1, 4, 5), (2, 3, 6), (1, 2, 3), (2, 5, 6), (3, 4, 6)],
    }
    by_mouse(browser, place, tokens["Mouse"], picked["Mouse"])
    text = browser.run("return document.documentElement.outerHTML")
    assert not [secret for secret in (*place.secrets, study) if secret in text]
    by_keys(browser, place, tokens["Keys"], picked["Keys"])
    by_fingers(browser, place, tokens["Touch"], picked["Touch"])

    # What came out is what was chosen.
    own = {name: _own(place, study, tokens[name], picked[name]) for name in picked}
    found = httpx.get(f"{place.url}/v1/studies/{study}/results").json()
    assert found["sets"] == SETS
    for told in found["each"]:
        assert told["model"]["value"] == pytest.approx(own[told["name"]][:, :CHOOSE].sum() / (SETS * CHOOSE))
        assert 0 <= told["seconds"] < 60  # to a tenth; no person is as quick as this test
    pairs = {(one["one"], one["other"]): one["agreement"]["value"] for one in found["pairs"]}
    for (one, other), value in pairs.items():
        assert value == pytest.approx((own[one] * own[other]).sum() / (SETS * CHOOSE))
    browser.resize(1366, 768)
    browser.open(f"{place.url}/studies/{study}")
    browser.wait("return document.querySelector('.forest')")
    assert found["said"][0] in browser.find("#results").text
    browser.find("#close").click()
    browser.wait("return document.querySelector('#close').textContent === 'Open it again'")
    browser.open(f"{place.url}/read/{tokens['Touch']}")
    browser.wait("return document.querySelector('#end-title').textContent === 'The study is closed'")
    httpx.delete(f"{place.url}/v1/studies/{study}")


def _answered(place: Place, token: str) -> int:
    return sum(one["answered"] for one in httpx.get(f"{place.url}/v1/reading/{token}").json()["sets"])


def _own(place: Place, study: str, token: str, picked: list[tuple[int, ...]]) -> np.ndarray:
    """(S, n): what was chosen at places of the screen, in the sets' own order of films."""
    from services.query.readerstudy.reading import hashed

    who = reader_studies.reader(place.facts, hashed(token))
    assert who is not None
    chosen = np.zeros((SETS, FILMS), dtype=int)
    for n, films in zip(order.sets(3, who.reader_id, SETS, []), picked, strict=True):
        mine = order.films(3, who.reader_id, n, FILMS)
        chosen[n, [mine[film - 1] for film in films]] = 1
    return chosen


def test_grades_windows_and_large_films(browser: Browser, place: Place) -> None:
    body = {"title": "t", "design": {"kind": "grades", "sets": 1, "nearest": 2, "others": 2}}
    told = httpx.post(f"{place.url}/v1/studies", json=body).text.strip().split("\n\n")[-1]
    study = told.split('"study_id": "')[1].split('"')[0]
    token = httpx.post(f"{place.url}/v1/studies/{study}:invite", json={"name": HOSTILE}).json()["token"]
    begin(browser, place, token)
    ready(browser, 1, 4, 1)
    browser.press("i")
    assert browser.run("return document.querySelector('#window feFuncG').getAttribute('slope')") == "-1"
    assert browser.run("return getComputedStyle(document.querySelector('#films img')).filter").startswith("url(")
    browser.press("r")
    assert browser.run("return getComputedStyle(document.querySelector('#films img')).filter") == "none"
    # A drag changes the window of all films, the wheel enlarges one, and neither grades.
    box = browser.run("const b = document.querySelector('.pick').getBoundingClientRect(); return [b.x, b.y]")
    x, y = box[0] + 40, box[1] + 40
    moves = [
        {"type": "pointerMove", "x": int(x), "y": int(y)}, {"type": "pointerDown", "button": 0},
        {"type": "pointerMove", "x": int(x) + 60, "y": int(y) + 10}, {"type": "pointerUp", "button": 0},
    ]  # fmt: skip
    browser.send("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": moves}]})
    assert browser.find("#wl").text.startswith("W 29")
    wheel = {"type": "scroll", "x": int(x), "y": int(y), "deltaX": 0, "deltaY": -300, "duration": 0}
    browser.send("/actions", {"actions": [{"type": "wheel", "id": "wheel", "actions": [wheel]}]})
    browser.wait("return document.querySelector('#films img').style.transform.includes('scale(2')")
    # Two fingers enlarge, too.
    fingers = [[{"x": x, "y": y, "id": 1}, {"x": x + 20 + far, "y": y, "id": 2}] for far in (0, 10, 20, 40)]
    for n, points in enumerate([*fingers, []]):
        kind = "touchStart" if n == 0 else "touchMove" if points else "touchEnd"
        told = {"cmd": "Input.dispatchTouchEvent", "params": {"type": kind, "touchPoints": points}}
        browser.send("/goog/cdp/execute", told)
    scale = browser.run(
        "return Number(document.querySelector('#films img').style.transform.match(/scale\\(([\\d.]+)/)[1])"
    )
    assert 5 < scale < 7
    assert browser.find("#count").text == "0 of 4 graded"
    browser.press("2", "0", "3")
    browser.press("l")
    browser.wait("return document.querySelector('#large').open")
    assert browser.find("#large-name").text.startswith("film 4: no grade yet")
    browser.press("1")
    browser.press("\ue00c")
    browser.wait("return !document.querySelector('#large').open")
    assert browser.find("#count").text == "4 of 4 graded"
    assert browser.run("return document.activeElement.dataset.place") == "4"
    browser.find("#next").click()
    browser.wait("return !document.querySelector('#end').hidden")
    saved(browser)
    kept = httpx.get(f"{place.url}/v1/reading/{token}").json()["sets"][0]
    assert kept["grades"] == [2, 0, 3, 1] and kept["seconds"] > 0
    found = httpx.get(f"{place.url}/v1/studies/{study}/results").json()
    assert found["depths"] and found["each"][0]["name"] == HOSTILE
    browser.open(f"{place.url}/studies/{study}")
    browser.wait("return document.querySelector('.forest')")
    assert HOSTILE in browser.find("#readers").text and browser.run("return document.title") != "pwned"
    httpx.delete(f"{place.url}/v1/studies/{study}")


def test_a_set_that_is_withdrawn_is_passed_over(browser: Browser, place: Place) -> None:
    body = {"title": "t", "design": {"kind": "pairs", "sets": 3, "seed": 3}}
    told = httpx.post(f"{place.url}/v1/studies", json=body).text.strip().split("\n\n")[-1]
    study = told.split('"study_id": "')[1].split('"')[0]
    token = httpx.post(f"{place.url}/v1/studies/{study}:invite", json={"name": "Ada"}).json()["token"]
    begin(browser, place, token)
    ready(browser, 1, 2, 3)
    who = reader_studies.reader(place.facts, hashed(token))
    assert who is not None
    last = order.sets(3, who.reader_id, 3, [])[2]
    shown = [{one["query"], *one["films"]} for one in reader_studies.contents(place.facts, study)]
    alone = min(shown[last].difference(*(films for n, films in enumerate(shown) if n != last)))
    assert all(shown[n].difference(*(films for m, films in enumerate(shown) if m != n)) for n in range(3))
    reader_studies.withdraw(place.facts, removal.words({alone}))
    browser.press("1", ENTER)
    ready(browser, 2, 2, 3)
    browser.press("2", ENTER)
    browser.wait("return !document.querySelector('#end').hidden")
    assert "All 2 sets are answered" in browser.find("#end-said").text
    browser.console()  # of the pictures, rightly
    httpx.delete(f"{place.url}/v1/studies/{study}")


def test_a_clock_does_not_run_while_nobody_looks(browser: Browser, place: Place) -> None:
    browser.open(f"{place.url}/read/nonsense")
    browser.wait("return !document.querySelector('#trouble').hidden")
    assert "leads nowhere" in browser.find("#trouble").text
    seconds = browser.run(
        """
        const done = arguments[arguments.length - 1];
        const { Clock } = await import("/static/read-clock.js");
        const clock = new Clock();
        const pause = (ms) => new Promise((go) => setTimeout(go, ms));
        const hide = (hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        };
        clock.begin(10); clock.run(); await pause(100); hide(true); await pause(2000); hide(false); await pause(100);
        clock.stop(); await pause(300);
        return clock.read();
        """.replace("const done = arguments[arguments.length - 1];", "")
    )
    assert 10.15 < seconds < 11.9
    assert [line for line in browser.console() if "404" not in line] == []


def test_pages_keep_the_link_to_themselves(place: Place) -> None:
    answer = httpx.get(f"{place.url}/read/some-token-here")
    assert "some-token-here" not in answer.text and answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"] and "noindex" in answer.text
    for path in ("/studies", "/studies/..%2f..%2fetc", "/read/%3Cscript%3E"):
        page = httpx.get(place.url + path)
        assert page.status_code in (200, 404) and "<script>" not in page.text
    assert httpx.get(f"{place.url}/v1/reading/x/sets/1/pictures/0").status_code == 404
