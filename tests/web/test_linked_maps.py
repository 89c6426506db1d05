"""Linked maps in a real browser: what is marked on one model's map is marked on all, offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.core.blobs import Blobs
from services.core.facts import Facts
from services.core.store import VectorStore
from tests.kit import browser
from tests.kit.analyses import make
from tests.kit.clustered import fill
from tests.kit.records import make_spec

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
        assert not page.console()
        assert all(url.startswith(("file:", "data:")) for url in page.requested())
