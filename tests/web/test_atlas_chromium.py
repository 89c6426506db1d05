"""The atlas in a real browser: live from the service, and as a folder that any web server serves, without a network."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray

from services.analytics import atlas, atlas_router, kinds, manifest
from services.analytics.bench import Bench
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import open_facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.transport import http_edge
from tests.kit import clustered
from tests.kit.devtools import CHROMIUM, Browser
from tests.kit.records import make_spec

RUN = "7b0c1c1e-5f0e-4e0e-9c5e-0123456789ab"
FILMS = 400
# The front end colours clusters by these; a page without points shows none of them in its map.
COLOURS = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40))

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, engine: EngineProcess) -> Iterator[Path]:
    """A data folder with one finished run of one model."""
    home = tmp_path_factory.mktemp("atlas")
    facts, store, blobs = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url), Blobs(home / "blobs")
    model = make_spec("atlas-model", 24)
    clustered.fill(facts, store, blobs, [model], FILMS, noise=1.0)
    runs = manifest.runs_dir(home)
    part = manifest.begin(runs, RUN)
    asked = kinds.parse({"models": ["atlas-model"]})
    kinds.work(asked.kind)(Bench(asked, RUN, part, facts, store, blobs, Settings(data_dir=home)))
    manifest.complete(part, runs, RUN)
    yield home
    store.drop(model.collection)
    store.close()
    facts.close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    opened = Browser(tmp_path / "profile")
    yield opened
    opened.close()


@pytest.fixture
def live(data: Path) -> Iterator[str]:
    app = http_edge.build([], [atlas_router.build(data)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
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
    """Are there points of every cluster's colour in the map? Its place is left of the legend and above the cards."""
    height, width, _ = picture.shape
    plot = picture[100 : int(height * 0.62), 50 : int(width * 0.62)].astype(int)
    return min(_share(255.0 - plot, 255.0 - np.array(colour)) for colour in COLOURS) > 300


def _share(ink: NDArray[np.float64], colour: NDArray[np.float64]) -> int:
    """How many pixels are this colour, laid on white more or less thickly: points are half transparent."""
    thick = ink @ colour / (colour @ colour)
    off = np.abs(ink - thick[..., None] * colour).max(axis=2)
    return int(((thick > 0.35) & (off < 20)).sum())
