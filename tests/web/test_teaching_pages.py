"""The pages of teaching files in a real browser: assembled, edited, published, tried as an unknown, exported."""

from __future__ import annotations

import json
import os
import random
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import json_format

from hilum.v1 import teaching_pb2
from services.core.blobs import Blobs
from services.core.facts import open_facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.exports_api import ExportsApi
from services.query.searches_api import SearchesApi
from services.query.teaching import document as documents
from services.query.teaching.export.words import html
from services.query.teaching.merge import merge
from services.query.teaching_api import TeachingApi
from services.query.web.pages import web_router
from services.transport import http_edge
from services.transport.edge import Api
from tests.kit import browser as chromium_kit
from tests.kit.archive import Archive, spot
from tests.kit.browser import ENTER, ESCAPE, LEFT, RIGHT, UP, Browser
from tests.kit.places import PlacesEncoder
from tests.kit.served import served

pytestmark = pytest.mark.skipif(chromium_kit.binaries() is None, reason="chromium and chromedriver are not here")
HOSTILE = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"
ALT, CONTROL, SHIFT = "\ue00a", "\ue009", "\ue008"
PHONE, TABLET, DESK = (390, 844), (820, 1180), (1366, 900)
SHOTS = os.environ.get("HILUM_SHOTS")  # a folder: pictures of the pages are put there, to be looked at
TEXT = "return document.querySelector(arguments[0])?.innerText ?? ''"
MIDDLES = """
    const strip = document.querySelector('#films .strip').getBoundingClientRect();
    const boxes = [...document.querySelectorAll('#films li')].map((e) => e.getBoundingClientRect());
    return boxes.map(({left, top, width, height}) =>
      [(left + width / 2 - strip.left) / strip.width, (top + height / 2 - strip.top) / strip.height])
"""  # of films in the strip, as fractions of it
LARGE = "return !!document.querySelector('.plate canvas') && document.querySelector('.plate canvas').width > 1"


@dataclass
class Place:
    """Where the pages are, the archive's films, and where downloads go."""

    url: str
    browser: Browser
    films: list[str]
    downloads: Path

    def open(self, path: str) -> None:
        self.browser.open(self.url + path)

    def get(self, path: str) -> Any:
        return httpx.get(f"{self.url}/v1/{path}").json()

    def send(self, path: str, body: dict[str, Any], method: str = "POST") -> Any:
        return httpx.request(method, f"{self.url}/v1/{path}", json=body).json()

    def shot(self, name: str) -> None:
        """No page scrolls sideways, however narrow."""
        for kind, (width, height) in {"phone": PHONE, "tablet": TABLET, "desk": DESK}.items():
            self.browser.resize(width, height)
            wide = self.browser.run("return document.documentElement.scrollWidth")
            assert wide <= width, f"{name} scrolls sideways on a {kind}: {wide}"
            if SHOTS:
                time.sleep(0.2)
                self.browser.screenshot(Path(SHOTS) / f"teaching-{name}-{kind}.png")
        self.browser.resize(*DESK)

    def made(self, **fields: Any) -> str:
        """A file of the first films."""
        images = [{"image_id": image_id} for image_id in self.films[:3]]
        document = {"title": "A case", "diagnosis": "Edema", "images": images, **fields}
        return str(self.send("teachingFiles", {"document": document})["file_id"])


@pytest.fixture(scope="module")
def place(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("teaching")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("teach-web")])
    archive.open()
    films = [
        archive.add(
            f"film-{n}", spot(0.5, (n + 1) / 13, 128), patient_id=f"p-{n}", study_id=f"s-{n}", view="PA", age=40.0 + n,
            sex="F", licence=None if n == 3 else "CC BY 4.0", attribution=HOSTILE if n == 1 else "Somebody, 2021",
            labels={"edema": "present" if n < 4 else "absent"}
            | ({"pneumonia": "present"} if 4 <= n < 8 else {}) | ({"no_finding": "present"} if n >= 8 else {}),
        ).image_id
        for n in range(12)
    ]  # fmt: skip
    archive.settle()
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    apis: list[Api] = [
        query, SearchesApi(facts, query.pages), TeachingApi(facts, query, archive.encode, archive.blobs),
        ExportsApi(facts, archive.blobs, b"k" * 32),
    ]  # fmt: skip
    downloads = home / "downloads"
    with served(apis, [web_router(facts, query)]) as where, chromium_kit.chromium(*DESK) as browser:
        allowed = {"behavior": "allow", "downloadPath": str(downloads)}
        browser.send("/goog/cdp/execute", {"cmd": "Browser.setDownloadBehavior", "params": allowed})
        yield Place(where.url, browser, films, downloads)
        assert {u for u in browser.requested() if not u.startswith((where.url, "data:", "blob:", "about:"))} == set()
    query.close()
    archive.close()
    for encoder in archive.encoders:
        store.drop(encoder.spec.collection)
    store.close()
    facts.close()


def click(browser: Browser, selector: str) -> None:
    browser.run("document.querySelector(arguments[0]).click()", selector)


def drag(browser: Browser, *points: tuple[float, float], over: str = ".plate") -> None:
    """The pointer from the first to the last of these fractions of an element."""
    box = browser.run("const b = document.querySelector(arguments[0]).getBoundingClientRect();"
                      "return [b.left, b.top, b.width, b.height]", over)  # fmt: skip
    at = [(round(box[0] + x * box[2]), round(box[1] + y * box[3])) for x, y in points]
    moves: list[dict[str, Any]] = [
        {"type": "pointerMove", "x": x, "y": y, "duration": 20, "origin": "viewport"} for x, y in at
    ]
    strokes = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
    browser.send("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": strokes}]})


def chord(browser: Browser, held: str, key: str) -> None:
    strokes = [("keyDown", held), ("keyDown", key), ("keyUp", key), ("keyUp", held)]
    keys = [{"type": kind, "value": value} for kind, value in strokes]
    browser.send("/actions", {"actions": [{"type": "key", "id": "keys", "actions": keys}]})


def test_a_case_is_assembled_edited_published_tried_and_exported(place: Place) -> None:
    browser = place.browser
    place.open("/teaching")
    assert browser.wait("return document.querySelector('#seek-said').innerText.includes('No teaching file yet')")
    place.shot("empty")
    browser.put("#assemble [name=finding]", "edema")
    for name, count in {"typical": 3, "atypical": 0, "lookalikes": 2, "normals": 1}.items():
        browser.put(f"#assemble [name={name}]", str(count))
    click(browser, "#assemble [type=submit]")
    browser.wait("return location.pathname.length > 20")
    browser.wait(LARGE)
    file_id = browser.url.rsplit("/", 1)[1]
    assert len(place.get(f"teachingFiles/{file_id}")["document"]["images"]) == 6
    assert browser.wait("return document.querySelectorAll('#licence-list li').length > 0")
    assert "CC BY 4.0" in browser.run(TEXT, "#licences")
    _edited(place, file_id)
    _published(place)
    _tried(place, file_id)
    _exported(place, file_id)
    assert browser.console() == []


def _edited(place: Place, file_id: str) -> None:
    browser = place.browser
    first, second = browser.run(
        "return [...document.querySelectorAll('#films li')].slice(0, 2).map((e) => e.dataset.key)"
    )
    browser.press("e")
    browser.wait("return !document.querySelector('#edit').hidden")
    browser.wait(LARGE)
    browser.put("[data-field=title]", f"Edema & {HOSTILE}")
    browser.put("[data-field=history]", "Breathless.\n\n- since **yesterday**")
    browser.put("[data-field=differential]", "Pneumonia\nFibrosis")
    browser.put("[data-field=note]", "marks and texts")
    _drawn(browser)
    chord(browser, ALT, RIGHT)  # the first film one place on
    assert browser.wait("return document.querySelector('#films li').dataset.key === arguments[0]", second)
    place.shot("edit")
    assert browser.run(
        "const e = new Event('beforeunload', {cancelable: true}); dispatchEvent(e); return e.defaultPrevented"
    )
    chord(browser, CONTROL, "s")
    assert browser.wait("return document.querySelector('#edit [role=status]').innerText === 'Saved as version 2.'")
    images = {one["key"]: one for one in place.get(f"teachingFiles/{file_id}")["document"]["images"]}
    assert list(images)[:2] == [second, first]
    marks = images[first]["annotations"]
    assert [one["kind"] for one in marks] == ["arrow", "circle", "rectangle", "polygon", "text"]
    near = pytest.approx
    told = [point[side] for point in marks[0]["points"] for side in "xy"]
    assert told == [near(value, abs=0.015) for value in (0.1, 0.1, 0.6, 0.5)]
    assert marks[1]["radius"] == near(0.2, abs=0.01) and len(marks[3]["points"]) == 3 and marks[4]["text"] == "here"
    place.open(f"/teaching/{file_id}")
    browser.wait(LARGE)
    browser.press(RIGHT)
    assert browser.wait("return document.querySelectorAll('.marks-over .mark').length === 5")
    assert browser.run("return document.querySelector('.marks-over text').textContent") == "here"
    assert browser.run(TEXT, "#title") == f"Edema & {HOSTILE}" and browser.run("return document.title") != "pwned"
    assert browser.run("return document.querySelector('#words strong').innerText") == "yesterday"
    place.shot("case")


def _drawn(browser: Browser) -> None:
    """One mark of each kind; the arrow's tip, then the whole of it is moved; a sixth mark is undone."""
    click(browser, "[data-tool=arrow]")
    drag(browser, (0.2, 0.2), (0.4, 0.4), (0.6, 0.5))
    drag(browser, (0.6, 0.5), (0.65, 0.55), (0.7, 0.6))  # its tip
    drag(browser, (0.3, 0.3), (0.25, 0.25), (0.2, 0.2))  # the whole
    click(browser, "[data-tool=circle]")
    drag(browser, (0.5, 0.5), (0.6, 0.5), (0.7, 0.5))
    click(browser, "[data-tool=rectangle]")
    drag(browser, (0.1, 0.1), (0.2, 0.2), (0.3, 0.2))
    click(browser, "[data-tool=polygon]")
    for corner in ((0.1, 0.6), (0.3, 0.6), (0.3, 0.9)):
        drag(browser, corner)
    browser.press(ENTER)
    click(browser, "[data-tool=text]")
    drag(browser, (0.6, 0.8))
    browser.wait("return document.activeElement.dataset.mark === '4'")
    browser.press(*"here")
    assert browser.run("return document.querySelectorAll('.marks-over .mark').length") == 5
    browser.run("document.activeElement.blur()")
    click(browser, "[data-tool=arrow]")
    drag(browser, (0.8, 0.2), (0.9, 0.3), (0.9, 0.4))
    assert browser.run("return document.querySelectorAll('.marks-over .mark').length") == 6
    chord(browser, CONTROL, "z")
    assert browser.wait("return document.querySelectorAll('.marks-over .mark').length === 5")


def _published(place: Place) -> None:
    browser = place.browser
    for name, state in (("Send to review", "review"), ("Publish", "published")):
        browser.run(
            "[...document.querySelectorAll('#acts button')].find((e) => e.innerText === arguments[0]).click()", name
        )
        assert browser.wait("return document.querySelector('#state .chip').innerText === arguments[0]", state)
    assert browser.wait("return document.querySelectorAll('#versions li').length === 2")
    assert "marks and texts" in browser.run("return document.querySelector('#versions').textContent")
    assert "published by local" in browser.run("return document.querySelector('#events').textContent")


def _tried(place: Place, file_id: str) -> None:
    """Nothing that the page holds or asks for says the answer before it was given."""
    browser = place.browser
    other = place.made()
    for step in ("review", "publish"):
        place.send(f"teachingFiles/{other}:{step}", {})
    browser.requested()
    place.open(f"/teaching/{file_id}/quiz")
    browser.wait(LARGE)
    browser.wait("return !document.querySelector('#answer').hidden")
    asked = {url.removeprefix(place.url).split("?")[0] for url in browser.requested()}
    service = {path for path in asked if path.startswith("/v1/")}
    assert all(path == f"/v1/teachingFiles/{file_id}/quiz" or "/pictures/" in path for path in service), service
    whole = str(browser.run("return document.documentElement.outerHTML")).casefold()
    assert "edema" not in whole and "here" not in browser.run(TEXT, "#films")
    assert "edema" not in httpx.get(f"{place.url}/v1/teachingFiles/{file_id}/quiz").text.casefold()
    place.shot("quiz")
    browser.put("#reader", "anna")
    click(browser, "#offer")
    browser.wait("return document.querySelectorAll('#choices input').length === 3")
    click(browser, "#choices [value=Fibrosis]")
    click(browser, "#answer [type=submit]")
    assert browser.wait("return document.querySelector('#judged').innerText.startsWith('Not right.')")
    browser.press(RIGHT)
    assert browser.wait("return document.querySelectorAll('.marks-over .mark').length === 5")
    assert browser.run("return document.querySelector('#next').pathname") == f"/teaching/{other}/quiz"
    place.shot("revealed")
    place.open(f"/teaching/{file_id}/quiz")
    browser.wait("return !document.querySelector('#answer').hidden")
    assert "once before" in browser.run(TEXT, "#about")
    browser.find("#words-of").type("water in the lung", ENTER)
    assert browser.wait("return document.querySelector('#judged').innerText.startsWith('Compare.')")
    click(browser, "#judged button")
    assert browser.wait("return document.querySelector('#judged').innerText.startsWith('Right.')")
    place.open("/teaching/results")
    assert browser.wait("return document.querySelector('#readers').innerText.includes('local/anna')")
    assert "1 of 2 (50 %)" in browser.run(TEXT, "#files")
    place.shot("results")


def _exported(place: Place, file_id: str) -> None:
    browser = place.browser
    place.open(f"/teaching/{file_id}")
    browser.wait("return document.querySelectorAll('#formats button').length === 6")
    browser.run("document.querySelector('#export-panel').open = true")
    for name in ("html", "mirc"):
        click(browser, f"[data-format={name}]")
        assert browser.wait(
            "return document.querySelector('#export-said').innerText.includes(arguments[0])", f".{name}"
        )
    files = sorted(place.downloads.iterdir())
    assert [one.name.split(".", 1)[1] for one in files] == ["html", "mirc.zip"]
    with zipfile.ZipFile(files[1]) as saved:
        assert "case.xml" in saved.namelist()
    place.open("/teaching")
    browser.find("#mirc").type(str(files[1]))
    assert browser.wait("return location.pathname.length > 20 && !location.pathname.includes(arguments[0])", file_id)
    assert browser.wait("return document.querySelector('#title').innerText.startsWith('Edema &')")
    browser.wait(LARGE)


def test_two_edits_of_the_same_lose_nothing(place: Place) -> None:
    browser = place.browser
    file_id = place.made(discussion="First.")
    place.open(f"/teaching/{file_id}#edit")
    browser.wait("return !document.querySelector('#edit').hidden")
    browser.put("[data-field=discussion]", "Mine.")
    browser.put("[data-field=history]", "Mine alone.")
    other = place.get(f"teachingFiles/{file_id}")["document"] | {"discussion": "Theirs.", "findings": "Theirs alone."}
    place.send(f"teachingFiles/{file_id}", {"made_from": 1, "document": other}, "PATCH")
    chord(browser, CONTROL, "s")
    assert browser.wait("return !document.querySelector('#conflict').hidden")
    assert browser.run("return document.querySelectorAll('.conflict-of').length") == 1
    assert browser.run("return document.querySelector('.conflict-of textarea').value") == "Mine."
    assert "Theirs." in browser.run("return document.querySelector('.conflict-of pre').textContent")
    place.shot("conflict")
    browser.put(".conflict-of textarea", "Mine.\nTheirs.")
    click(browser, "#settle")
    assert browser.wait(
        "return document.querySelector('#edit [role=status]').innerText.startsWith('Saved as version 4')"
    )
    kept = place.get(f"teachingFiles/{file_id}")["document"]
    assert [kept[key] for key in ("discussion", "history", "findings")] == [
        "Mine.\nTheirs.",
        "Mine alone.",
        "Theirs alone.",
    ]
    told = [line for line in browser.console() if "400" not in line and "409" not in line and "412" not in line]
    assert told == []


def test_films_are_picked_put_in_order_by_drag_and_an_old_version_comes_back(place: Place) -> None:
    browser = place.browser
    place.open(f"/?id={place.films[0]}")
    browser.wait("return document.querySelectorAll('#grid .thumb.like').length >= 3")
    browser.run("for (const one of [...document.querySelectorAll('#grid .thumb.like')].slice(0, 3)) one.click()")
    click(browser, "#teach")
    browser.wait("return document.querySelectorAll('#picked-films img').length === 3")
    browser.put("#make-title", "Picked")
    place.shot("picked")
    click(browser, "#make [type=submit]")
    browser.wait("return location.hash === '#edit'")
    browser.wait("return document.querySelectorAll('#films .sorting li').length === 3")
    file_id = browser.url.split("/")[-1].split("#")[0]
    keys = browser.run("return [...document.querySelectorAll('#films li')].map((e) => e.dataset.key)")
    box = browser.run(MIDDLES)
    drag(browser, box[2], (box[0][0], box[0][1]), (max(0.0, box[0][0] - 0.01), box[0][1]), over="#films .strip")
    assert browser.wait("return document.querySelector('#films li').dataset.key === arguments[0]", keys[2])
    chord(browser, CONTROL, "s")
    assert browser.wait("return document.querySelector('#edit [role=status]').innerText === 'Saved as version 2.'")
    place.open(f"/teaching/{file_id}?version=1")
    assert browser.wait("return document.querySelector('#banner').innerText.includes('not the latest')")
    browser.run("[...document.querySelectorAll('#acts button')].find((e) => e.innerText.startsWith('Restore')).click()")
    browser.wait("return location.search === ''")
    browser.wait(LARGE)
    assert [one["key"] for one in place.get(f"teachingFiles/{file_id}")["document"]["images"]] == keys
    assert browser.console() == []


def test_marks_are_drawn_by_keys_alone_and_a_file_is_deleted_after_asking(place: Place) -> None:
    browser = place.browser
    file_id = place.made()
    place.open(f"/teaching/{file_id}#edit")
    browser.wait("return !document.querySelector('#edit').hidden")
    browser.wait(LARGE)
    browser.press("a", ENTER)
    browser.press(LEFT, LEFT)
    chord(browser, SHIFT, UP)
    browser.press(ESCAPE, "c", ENTER, ESCAPE)
    chord(browser, CONTROL, "s")
    assert browser.wait("return document.querySelector('#edit [role=status]').innerText === 'Saved as version 2.'")
    arrow, circle = place.get(f"teachingFiles/{file_id}")["document"]["images"][0]["annotations"]
    assert arrow["points"] == [{"x": 0.39, "y": 0.4}, {"x": 0.49, "y": 0.495}]
    assert (circle["kind"], circle["radius"]) == ("circle", 0.1)
    browser.press(ESCAPE)
    assert browser.wait("return document.querySelector('#edit').hidden")
    click(browser, "#access > p:last-child button")
    assert place.get(f"teachingFiles/{file_id}")["version"] == 2
    click(browser, "#access > p:last-child button")
    assert browser.wait("return document.querySelector('#seek-said')?.innerText.startsWith('Deleted.')")
    assert place.get(f"teachingFiles/{file_id}")["error"]["code"] == "NOT_FOUND"
    assert browser.console() == []


def test_what_may_not_leave_is_said_with_what_to_do(place: Place) -> None:
    browser = place.browser
    file_id = place.made(images=[{"image_id": place.films[3]}])
    place.open(f"/teaching/{file_id}")
    browser.wait("return document.querySelectorAll('#formats button').length === 6")
    assert "Licence not stated" in browser.wait(TEXT, "#licence-list")
    browser.run("document.querySelector('#export-panel').open = true")
    click(browser, "[data-format=html]")
    assert browser.wait(
        "return document.querySelector('#export-said').innerText.includes('state it in words in the field above')"
    )
    assert browser.run("return document.activeElement.id") == "right"
    place.shot("refused")
    browser.put("#right", "Our own films")
    click(browser, "[data-format=html]")
    assert browser.wait("return document.querySelector('#export-said').innerText.includes('.html')")
    browser.console()  # the browser tells of the refusal that was asked for


def test_hostile_words_stay_words(place: Place) -> None:
    browser = place.browser
    texts = dict.fromkeys(("title", "history", "findings", "diagnosis", "discussion", "origin", "rights"), HOSTILE)
    marks = [{"kind": "text", "points": [{"x": 0.1, "y": 0.1}], "text": HOSTILE}]
    images = [
        {"image_id": place.films[1], "caption": HOSTILE, "key_note": HOSTILE, "why": HOSTILE, "annotations": marks}
    ]
    sections = [{"key": "s", "heading": HOSTILE, "text": HOSTILE}]
    lists = {key: [HOSTILE] for key in ("differential", "keywords", "references")}
    file_id = place.made(**texts, **lists, images=images, sections=sections, authors=[{"name": HOSTILE}])
    for path in ("/teaching", f"/teaching/{file_id}", f"/teaching/{file_id}#edit", f"/teaching/{file_id}/quiz"):
        place.open(path)
        browser.wait("return document.body.innerText.includes('onerror') || location.pathname.endsWith('/quiz')")
        assert browser.run("return document.querySelectorAll('main script, img[src=x]').length") == 0
        assert browser.run("return document.title") != "pwned"
    for path in ("/teaching/%3Cscript%3E", "/teaching/..%2F..%2Fetc/quiz", "/teaching/nobody"):
        assert "<script>" not in httpx.get(place.url + path).text
    place.open("/teaching/nobody")
    assert browser.wait("return document.querySelector('#alert').innerText.includes('No such teaching file')")
    browser.press(LEFT)
    browser.console()  # the browser tells of the 404 that was asked for


def test_the_page_merges_and_reads_texts_as_the_service_does(place: Place) -> None:
    """Random edits of one version by two people; texts with marks of style, torn ones among them."""
    browser, dice = place.browser, random.Random(7)
    place.open("/teaching/results")
    base: dict[str, Any] = {
        "title": "t", "history": "h", "findings": "f", "differential": ["a"],
        "sections": [{"key": "s1", "heading": "one"}, {"key": "s2", "heading": "two"}],
        "images": [{"key": f"k{n}", "image_id": place.films[n], "caption": str(n), "section": "s1"} for n in range(4)],
    }  # fmt: skip
    pairs = [(_edit(base, dice, place.films[4]), _edit(base, dice, place.films[5])) for _ in range(150)]
    whole = [(_told(base), _told(mine), _told(theirs)) for mine, theirs in pairs]
    merged = browser.run(
        "return import('/static/teach-merge.js').then(({ merge }) => arguments[0].map((one) => merge(...one)))",
        whole,
    )  # fmt: skip
    clean = 0
    for (mine, theirs), found in zip(pairs, merged, strict=True):
        expected = merge(*map(documents.parse, (base, mine, theirs)))
        films = [{image["key"] for image in one["images"]} for one in (base, mine, theirs)]
        if not expected.conflicts:
            clean += 1
            assert documents.parse(found["document"]) == expected.document
            assert found["conflicts"] == []
        elif films[0] <= films[1] & films[2]:  # one that was taken out and edited stays, and asks nothing
            assert found["conflicts"]
    assert 20 < clean < 140
    texts = [
        "plain < & text",
        "one\ntwo\n\nthree",
        "- a\n- *b*\n  more\n1. c\n2) **d**",
        "**torn *and* 2 * 3 * 4",
        "a\n- b\nc",
    ]
    shown = browser.run(
        "const [texts] = arguments; return import('/static/teach-prose.js').then(({ prose }) => texts.map((text) => {"
        "const div = document.createElement('div'); div.append(...prose(text)); return div.innerHTML; }))",
        texts,
    )  # fmt: skip
    assert shown == [html(text) for text in texts]


def _edit(base: dict[str, Any], dice: random.Random, film: str) -> dict[str, Any]:
    """One or two changes: of a text, a caption, the order, a film more or less."""
    edited = json.loads(json.dumps(base))
    images = edited["images"]
    for _ in range(dice.choice((1, 2))):
        match dice.randrange(6):
            case 0:
                edited[dice.choice(("title", "history", "findings"))] = dice.choice("xy")
            case 1 if images:
                dice.choice(images)["caption"] = dice.choice("xy")
            case 2:
                images.insert(0, images.pop())
            case 3 if len(images) > 2:
                images.pop(dice.randrange(len(images)))
            case 4 if not any(one["image_id"] == film for one in images):
                new = {"key": f"n{film[:6]}", "image_id": film, "section": "s2"}
                images.insert(dice.randrange(len(images) + 1), new)
            case 5:
                edited["sections"][0]["heading"] = dice.choice("xy")
    return dict(edited)


def _told(document: dict[str, Any]) -> Any:
    """As the service tells it: empty fields are there, too."""
    message = json_format.ParseDict(document, teaching_pb2.TeachingDocument())
    return json.loads(http_edge.to_json(message))
