"""Linked maps in a real browser: what is marked on one model's map is marked on all, offline; and becomes a set."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from services.analytics import atlas_router
from services.core.blobs import Blobs
from services.core.facts import Facts
from services.core.facts.schema import images
from services.core.filters import parse, to_sql
from services.core.store import VectorStore
from services.query.sets_api import SetsApi
from services.query.upkeep import Upkeep
from tests.kit import browser
from tests.kit.analyses import make
from tests.kit.clustered import fill
from tests.kit.records import make_spec
from tests.kit.served import served

pytestmark = [
    pytest.mark.slow, pytest.mark.skipif(browser.binaries() is None, reason="chromium and chromedriver are not here")
]  # fmt: skip
DRAG = """
const canvas = document.querySelectorAll("canvas")[0], frame = canvas.getBoundingClientRect();
const at = (x, y, buttons) => ({clientX: frame.left + x * frame.width, clientY: frame.top + y * frame.height,
                                pointerId: 1, buttons, bubbles: true});
canvas.setPointerCapture = () => {};
canvas.dispatchEvent(new PointerEvent("pointerdown", at(arguments[0], arguments[1], 1)));
canvas.dispatchEvent(new PointerEvent("pointermove", at(arguments[2], arguments[3], 1)));
canvas.dispatchEvent(new PointerEvent("pointerup", at(arguments[2], arguments[3], 0)));
return document.getElementById("ids").value.split("\\n").filter((id) => id);
"""
PIXELS = """
return [...document.querySelectorAll("canvas")].map((canvas) =>
  [...new Uint32Array(canvas.getContext("2d").getImageData(0, 0, 760, 760).data.buffer)].filter((v) => v).length);
"""
DRAWN = "return document.querySelectorAll('canvas')[1].toDataURL()"


def test_what_is_marked_on_one_map_is_marked_on_all(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    records = fill(facts, store, Blobs(tmp_path / "blobs"), [make_spec("one", 16), make_spec("other", 16)], 60)
    run = make(tmp_path, facts, store, models=["one", "other"], k=5, compare={"apart": 20, "shuffles": 19})
    with browser.chromium() as page:
        page.open((run.folder / "linked.html").as_uri())
        assert page.wait("return document.querySelectorAll('canvas').length === 2")
        assert all(drawn > 0 for drawn in page.run(PIXELS))
        every = page.run(DRAG, 0, 0, 1, 1)
        assert set(every) == {record.image_id for record in records}
        half = page.run(DRAG, 0, 0, 1, 0.5)
        assert 0 < len(half) < len(records)
        assert f"{len(half)} of {len(records)}" in page.find("#said").text
        assert page.run(DRAG, 0.5, 0.5, 0.5, 0.5) == []
        page.run("const by = document.getElementById('by'); by.value = '1'; by.onchange()")
        assert "C01" in page.find("#keys").text
        alone = page.run(DRAWN)
        page.run("const place = document.getElementById('place'); place.value = '1'; place.onchange()")
        assert page.run(DRAWN) != alone
        half = page.run(DRAG, 0, 0, 0.5, 1)
        assert page.find("#kept").text.startswith(f"{len(half)} films selected")
        assert "Keep as set" not in page.find("#kept").text  # nobody is behind a file
        assert not page.console()
        assert all(url.startswith(("file:", "data:")) for url in page.requested())


def test_films_marked_on_linked_maps_become_a_set(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    records = fill(facts, store, Blobs(tmp_path / "blobs"), [make_spec("one", 16), make_spec("other", 16)], 60)
    run = make(tmp_path, facts, store, models=["one", "other"], k=5, compare={"apart": 20, "shuffles": 19})
    made = SetsApi(facts, Upkeep(facts, store), run.folder.parent)
    with served([made], [atlas_router.build(tmp_path)]) as at, browser.chromium() as page:
        page.open(f"{at.url}/v1/runs/{run.folder.name}/atlas/")
        assert page.wait("return [...document.links].some((link) => link.href.endsWith('/linked'))")
        page.open(f"{at.url}/v1/runs/{run.folder.name}/linked")
        assert page.wait("return document.querySelectorAll('canvas').length === 2")
        marked = page.run(DRAG, 0, 0, 1, 0.5)
        assert 0 < len(marked) < len(records)
        page.find("#kept input").type("<b>half</b>")
        page.find("#kept button").click()
        page.wait("return document.querySelector('#kept output').textContent.includes('letters, digits')")
        assert page.console() != []  # the refusal, 400
        page.run("document.querySelector('#kept input').value = ''")
        page.find("#kept input").type("upper-half")
        page.find("#kept button").click()
        page.wait("return document.querySelector('#kept output').textContent.includes('kept as upper-half')")
        with facts.read() as db:
            found = set(db.scalars(select(images.c.image_id).where(to_sql(parse('cohort = "upper-half"')))))
        assert found == set(marked)
        assert not page.console()
        assert all(url.startswith((at.url, "data:", "blob:")) for url in page.requested())
