"""Reports: what is given comes out, escaped, with its intervals; plots are well-formed and to scale."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from services.analytics import figure
from services.analytics.estimate import Estimate
from services.analytics.figure import Line
from services.analytics.page import Page

MANIFEST = {
    "run_id": "7b0c1c1e-5f0e-4e0e-9c5e-0123456789ab", "films": 1200, "patients": 300, "sample_sha256": "ab" * 32,
    "continued": {},
    "sample_note": "all", "asked": {"filter": "", "k": 15, "seed": 0}, "finished_at": "2026-01-01", "versions": {},
    "models": {"one": {"fingerprint": "cd" * 32}},
}  # fmt: skip
SPACE = "{http://www.w3.org/2000/svg}"


def test_a_page_holds_its_tables_for_the_eye_and_for_the_shell() -> None:
    page = Page("Hubs <of> films", "What crowds.")
    page.heading("By model")
    page.table(
        ("model", "skew", "films"), [("<b>one</b>", Estimate(1.25, 1.0, 1.5), 1200), ("two", float("nan"), None)]
    )
    html = page.html(MANIFEST)
    assert "Hubs &lt;of&gt; films" in html
    assert "<b>one" not in html
    assert "1.250 <small>1.000 to 1.500</small>" in html
    assert "script" not in html
    assert page.tables == [{
        "title": "By model", "columns": ["model", "skew", "films"],
        "rows": [["<b>one</b>", "1.250 [1.000, 1.500]", "1,200"], ["two", "–", "–"]],
    }]  # fmt: skip


@pytest.mark.parametrize("log", [False, True])
def test_lines_lie_where_their_numbers_say(log: bool) -> None:
    xs = np.array([1.0, 10.0, 100.0])
    svg = str(figure.lines([Line("a & b", xs, [0.0, 0.5, 1.0], [0, 0.4, 0.9], [0.1, 0.6, 1])], "x", "y", log_x=log))
    tree = ElementTree.fromstring(svg)
    assert "a & b" in "".join(tree.itertext())
    (drawn,) = list(tree.iter("polyline"))
    spots = np.array([[float(v) for v in spot.split(",")] for spot in drawn.attrib["points"].split()])
    assert (np.diff(spots[:, 1]) < 0).all()  # up is up
    steps = np.diff(spots[:, 0])
    assert np.isclose(steps[1] / steps[0], 1.0 if log else 10.0, rtol=0.02)
    assert len(list(tree.iter("polygon"))) == 1


def test_holes_in_a_line_and_flat_lines_are_drawn() -> None:
    svg = figure.lines([Line("a", [0, 1, 2], [0.3, float("nan"), 0.3], dots=True), Line("none", [], [])], "x", "y")
    assert len(re.findall("<circle", svg)) == 2
    assert "nan" not in svg


def test_intervals_stand_in_rows() -> None:
    rows = [
        ("edema", {"one": Estimate(0.5, 0.4, 0.6), "two": Estimate(0.7, 0.6, 0.8)}),
        ("rare", {"one": Estimate(0.1, float("nan"), 1.0)}),
    ]
    tree = ElementTree.fromstring(str(figure.intervals(rows, "nDCG", at=0.2)))
    circles = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in tree.iter("circle")]
    assert len(circles) == 2  # what has no interval is not drawn
    assert circles[0][0] < circles[1][0]
