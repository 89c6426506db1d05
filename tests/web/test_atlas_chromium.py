"""The atlas in a real browser: live from the service, and as a folder that any web server serves, without a network;
and what is selected on it as a set of films."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
import uvicorn
from numpy.typing import NDArray
from sqlalchemy import select

from services.analytics import atlas, atlas_router, kinds, manifest
from services.analytics.bench import Bench
from services.core.access import ALL, Access
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import Facts, open_facts, sets
from services.core.facts.schema import images as films
from services.core.filters import parse, to_sql
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.sets_api import SetsApi
from services.query.upkeep import Upkeep
from services.transport import http_edge
from tests.kit import clustered
from tests.kit.devtools import CHROMIUM, Browser
from tests.kit.records import make_spec

RUN = "7b0c1c1e-5f0e-4e0e-9c5e-0123456789ab"
FILMS = 400
# The front end colours clusters by these; a page without points shows none of them in its map.
COLOURS = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40))

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@dataclass(frozen=True)
class Home:
    """A data folder with one finished run of one model, and what the archive is made of."""

    path: Path
    facts: Facts
    store: VectorStore


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, engine: EngineProcess) -> Iterator[Home]:
    home = tmp_path_factory.mktemp("atlas")
    facts, store, blobs = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url), Blobs(home / "blobs")
    model = make_spec("atlas-model", 24)
    clustered.fill(facts, store, blobs, [model], FILMS, noise=1.0)
    runs = manifest.runs_dir(home)
    part = manifest.begin(runs, RUN)
    asked = kinds.parse({"models": ["atlas-model"]})
    kinds.work(asked.kind)(Bench(asked, RUN, part, facts, store, blobs, Settings(data_dir=home)))
    manifest.complete(part, runs, RUN)
    yield Home(home, facts, store)
    store.drop(model.collection)
    store.close()
    facts.close()


@pytest.fixture
def data(home: Home) -> Path:
    return home.path


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.close()


@pytest.fixture
def live(home: Home) -> Iterator[str]:
    with serving(home) as url:
        yield url


@contextmanager
def serving(home: Home, access: Access = ALL) -> Iterator[str]:
    """Atlases and sets, as the service has them."""
    sets = SetsApi(home.facts, Upkeep(home.facts, home.store), manifest.runs_dir(home.path))
    app = http_edge.build([sets], [atlas_router.build(home.path, access)], access=access)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def static(data: Path, tmp_path: Path) -> Iterator[str]:
    out = atlas.export_static(manifest.runs_dir(data), RUN, tmp_path / "export")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=str(out)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_live_atlas_draws_the_films(live: str, browser: Browser, tmp_path: Path) -> None:
    browser.open(f"{live}/v1/runs/{RUN}/atlas/")
    _drawn(browser, tmp_path, live)
    assert browser.evaluate("location.pathname") == f"/v1/runs/{RUN}/atlas/atlas-model/"


def test_exported_folder_draws_the_films_without_a_network(static: str, browser: Browser, tmp_path: Path) -> None:
    browser.open(f"{static}/atlas-model/")
    _drawn(browser, tmp_path, static)
    browser.open(f"{static}/")
    assert browser.until(lambda: "atlas-model" in (browser.evaluate("document.body?.innerText") or ""), 10)


def test_report_shows_its_pictures(live: str, browser: Browser) -> None:
    browser.open(f"{live}/v1/runs/{RUN}/report")
    assert browser.until(lambda: bool(browser.evaluate("document.images.length && document.readyState == 'complete'")))
    assert browser.evaluate("[...document.images].every(image => image.naturalWidth > 300)")
    assert "Research use only" in browser.evaluate("document.body.innerText")
    assert not browser.errors


def test_a_selection_on_the_map_becomes_a_set(live: str, home: Home, browser: Browser, tmp_path: Path) -> None:
    browser.open(f"{live}/v1/runs/{RUN}/atlas/")
    inside = _select(browser)
    assert 0 < inside < FILMS
    for name, says in (("", "Give the set a name."), (HOSTILE, "letters, digits")):
        _keep(browser, name)
        assert browser.until(lambda says=says: says in _said(browser), 30), _said(browser)
    assert sets.listed(home.facts) == []
    _keep(browser, "corner")
    assert browser.until(lambda: f"{inside} films kept as corner." in _said(browser), 30), _said(browser)
    (made,) = sets.listed(home.facts)
    assert (made.set_id, made.films, made.title) == ("corner", inside, TITLE)
    ids = _films(home.facts, 'cohort = "corner"')
    assert ids == _inside_the_box_of(home.path, ids)
    _keep(browser, "corner")
    assert browser.until(lambda: "there is" in _said(browser) or "taken" in _said(browser), 30), _said(browser)
    assert _downloaded(browser, tmp_path) == ids

    _keep(browser, "again")
    assert browser.until(lambda: "kept as again" in _said(browser), 30)
    browser.evaluate(f"{_BUTTON.format('Open in search')}.click()")
    opened = "/?where=cohort+%3D+%22again%22"
    assert browser.until(lambda: any(url.endswith(opened) for url in browser.tabs()), 10), browser.tabs()
    assert browser.evaluate("document.title").startswith("Hilum atlas")


def test_what_is_chosen_in_a_chart_is_downloaded_from_an_exported_folder(
    static: str, home: Home, browser: Browser, tmp_path: Path
) -> None:
    browser.open(f"{static}/atlas-model/")
    assert browser.until(lambda: bool(browser.evaluate(_BAR)), 60)
    _mouse(browser, browser.evaluate(_BAR))
    table = pq.read_table(home.path / "runs" / RUN / "atlas" / "atlas-model" / "dataset.parquet")
    wanted = {row["image_id"] for row in table.select(["image_id", "cluster"]).to_pylist() if row["cluster"] == "C02"}
    assert browser.until(lambda: f"{len(wanted)} films selected" in _said(browser), 30), _said(browser)
    browser.screenshot(tmp_path / "chosen.png")
    assert browser.evaluate("[...document.querySelectorAll('#hilum-selection button')].length") == 1
    assert _downloaded(browser, tmp_path) == wanted
    assert "hilum sets create" in _said(browser)
    browser.ask("Input.dispatchKeyEvent", type="keyDown", key="Escape", code="Escape", windowsVirtualKeyCode=27)
    assert browser.until(lambda: "Nothing selected" in _said(browser), 30)
    assert browser.evaluate(f"{_BUTTON.format('Download ids')}.disabled")


def test_whoever_may_not_see_the_films_sees_no_map_and_keeps_none_of_them(home: Home) -> None:
    film = clustered.record(0).image_id
    with serving(home, Access(frozenset({"elsewhere"}))) as url:
        assert httpx.get(f"{url}/v1/runs/{RUN}/atlas/atlas-model/").status_code == 404
        assert httpx.get(f"{url}/v1/runs/{RUN}/atlas/atlas-model/data/dataset.parquet").status_code == 404
        answer = httpx.post(f"{url}/v1/sets", json={"set_id": "mine", "films": {"image_ids": [film]}})
        assert answer.status_code == 409, answer.text
        assert "no film" in answer.json()["error"]["message"]
    assert "mine" not in {one.set_id for one in sets.listed(home.facts)}


TITLE = "Selected on the map of atlas-model, run 7b0c1c1e"
HOSTILE = '"><img src=x onerror="document.title=\'pwned\'">'
_BUTTON = "[...document.querySelectorAll('#hilum-selection button')].find((b) => b.textContent === '{}')"
_BAR = """(() => {  // the bar of C02 in the chart of clusters
  const words = [...document.querySelectorAll("*")].filter((e) => !e.children.length && e.textContent.trim() === "C02");
  const places = words.map((e) => e.getBoundingClientRect()).filter((box) => box.width && box.left > 1000);
  const box = places.find((one) => one.top > 150);
  return box && {x: box.left + 200, y: box.top + box.height / 2};
})()"""


def _said(browser: Browser) -> str:
    return str(browser.evaluate("document.querySelector('#hilum-selection output')?.textContent"))


def _mouse(browser: Browser, start: dict[str, float], end: dict[str, float] | None = None, shift: bool = False) -> None:
    """A click, or a drag."""
    end, keys = end or start, 8 if shift else 0
    browser.ask("Input.dispatchMouseEvent", type="mousePressed", button="left", clickCount=1, modifiers=keys, **start)
    for part in (0.25, 0.5, 0.75, 1.0) if end != start else ():
        at = {axis: start[axis] + part * (end[axis] - start[axis]) for axis in "xy"}
        browser.ask("Input.dispatchMouseEvent", type="mouseMoved", button="left", buttons=1, modifiers=keys, **at)
    browser.ask("Input.dispatchMouseEvent", type="mouseReleased", button="left", clickCount=1, modifiers=keys, **end)


def _select(browser: Browser) -> int:
    """Draw a rectangle on the map; how many films the page says are in it."""
    assert browser.until(lambda: _coloured(browser.screenshot()), 90)
    _mouse(browser, {"x": 200, "y": 150}, {"x": 600, "y": 500}, shift=True)
    told: list[str] = []  # it counts while one draws; at the end it says the same again and again

    def settled() -> bool:
        told.append(_said(browser))
        return "films selected" in told[-1] and len(told) > 3 and len(set(told[-4:])) == 1

    assert browser.until(settled, 30), told
    return int(told[-1].split()[0])


def _keep(browser: Browser, name: str) -> None:
    """Type the name and press the button."""
    browser.evaluate(
        "(() => { const at = document.querySelector('#hilum-selection input'); at.focus(); at.select() })()"
    )
    if name:
        browser.ask("Input.insertText", text=name)
    else:
        browser.evaluate("document.querySelector('#hilum-selection input').value = ''")
    browser.evaluate(f"{_BUTTON.format('Keep as set')}.click()")


def _downloaded(browser: Browser, folder: Path) -> set[str]:
    browser.save_to(folder)
    browser.evaluate(f"{_BUTTON.format('Download ids')}.click()")
    file = folder / "image-ids.txt"
    assert browser.until(file.is_file, 20)
    return set(file.read_text().split())


def _films(facts: Facts, where: str) -> set[str]:
    with facts.read() as db:
        return set(db.scalars(select(films.c.image_id).where(to_sql(parse(where)))))


def _inside_the_box_of(home: Path, ids: set[str]) -> set[str]:
    """Every film that lies between those of `ids` on the map."""
    rows = pq.read_table(home / "runs" / RUN / "map-atlas-model.parquet").to_pylist()
    mine = np.array([(row["x"], row["y"]) for row in rows if row["image_id"] in ids])
    low, high = mine.min(axis=0), mine.max(axis=0)
    return {
        row["image_id"] for row in rows
        if low[0] <= row["x"] <= high[0] and low[1] <= row["y"] <= high[1]
    }  # fmt: skip


def _drawn(browser: Browser, tmp_path: Path, origin: str) -> None:
    seen = browser.until(lambda: _coloured(browser.screenshot()), 90)
    browser.screenshot(tmp_path / "atlas.png")
    text = browser.evaluate("document.body.innerText") or ""
    assert seen, f"no points in {tmp_path / 'atlas.png'}; errors {browser.errors}, failed {browser.failed}"
    assert f"{FILMS} / {FILMS} points" in text
    assert "Research use only" in text
    assert browser.evaluate("document.title").startswith("Hilum atlas")
    elsewhere = [url for url in browser.requests if not url.startswith((origin, "data:", "blob:", "about:"))]
    assert elsewhere == []
    assert any(url.endswith("dataset.parquet") for url in browser.requests)
    assert [error for error in browser.errors if "WebGPU" not in error and "/data/cache/" not in error] == []


def _coloured(picture: NDArray[np.uint8]) -> bool:
    """Are there points of every cluster's colour in the map? It is left of the panels and above the cards; its upper
    right corner is the legend's."""
    height, width, _ = picture.shape
    plot = picture[100 : int(height * 0.62), 50 : int(width * 0.7)].astype(int)
    plot[: int(height * 0.24) - 100, int(width * 0.62) - 50 :] = 255
    return min(_share(255.0 - plot, 255.0 - np.array(colour)) for colour in COLOURS) > 300


def _share(ink: NDArray[np.float64], colour: NDArray[np.float64]) -> int:
    """How many pixels are this colour, laid on white more or less thickly: points are half transparent."""
    thick = ink @ colour / (colour @ colour)
    off = np.abs(ink - thick[..., None] * colour).max(axis=2)
    return int(((thick > 0.35) & (off < 20)).sum())
