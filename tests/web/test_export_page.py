"""The exported page in a real browser, from a file, with nothing to connect to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.query.teaching.export.case import Case
from services.query.teaching.export.formats import made
from tests.kit import exported
from tests.kit.browser import LEFT, RIGHT, Browser, binaries, chromium

pytestmark = pytest.mark.skipif(binaries() is None, reason="chromium and chromedriver are not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def opened(browser: Browser, case: Case, folder: Path) -> None:
    path = folder / "case.html"
    path.write_bytes(made("html", case))
    browser.console(), browser.requested()
    browser.open(path.as_uri())


def seen(browser: Browser) -> str:
    return str(browser.run("return document.body.innerText"))


def quiet(browser: Browser) -> None:
    """Nothing was asked for but the file itself, and nothing went wrong."""
    assert {url for url in browser.requested() if not url.startswith("data:")} <= {browser.url}
    assert not browser.console()


def test_it_shows_all_without_a_network(browser: Browser, tmp_path: Path) -> None:
    opened(browser, exported.case(), tmp_path)
    said = seen(browser).casefold()
    for text in ("Large left pleural effusion", "Ada Author", "asbestos", "Lobar collapse", "Meniscus", "Follow-up",
                 "Licence: CC BY 4.0. A Hospital.", "Film 3 is left out", "Light RW"):  # fmt: skip
        assert text.casefold() in said, text
    sizes = browser.run("return [...document.images].map((i) => [i.complete, i.naturalWidth, i.naturalHeight])")
    assert sizes == [[True, 129, 160]] * 2
    marks = browser.run("return [...document.querySelectorAll('.marks *')].map((e) => e.tagName)")
    assert {"circle", "polygon", "polyline", "text"} <= set(marks)
    quiet(browser)


def test_an_unknown_hides_the_answer_until_it_is_asked_for(browser: Browser, tmp_path: Path) -> None:
    opened(browser, exported.quiz(), tmp_path)
    told = seen(browser)
    assert "A breathless man" in told and "effusion" not in told.casefold() and "meniscus" not in told.casefold()
    assert browser.run("return document.title") == "A breathless man"
    assert not browser.run("return document.querySelector('.marks').checkVisibility()")
    browser.find("#reveal").click()
    assert "Pleural effusion" in seen(browser) and browser.run("return document.title") == "Large left pleural effusion"
    assert browser.run("return document.querySelector('.marks').checkVisibility()")
    browser.find("#hide").click()
    assert "effusion" not in seen(browser).casefold()
    quiet(browser)


def test_a_drag_changes_window_and_level_and_keys_do(browser: Browser, tmp_path: Path) -> None:
    opened(browser, exported.case(), tmp_path)
    slope = "return +document.querySelector('feFuncR').getAttribute('slope')"
    browser.run("""
        const stage = document.querySelector(".stage"), at = (kind, x, y) =>
          stage.dispatchEvent(new PointerEvent(kind, { clientX: x, clientY: y, pointerId: 1, bubbles: true }));
        stage.setPointerCapture = () => {};
        at("pointerdown", 200, 200); at("pointermove", 100, 230); at("pointerup", 100, 230);
    """)
    assert browser.run(slope) == pytest.approx(255 / (255 - 60))
    assert browser.find("output").text == "W 195 L 140"
    assert "url" in browser.run("return getComputedStyle(document.querySelector('.stage img')).filter")
    browser.run("document.querySelector('.stage').focus()")
    browser.press("0")
    assert browser.run(slope) == 1 and browser.find("output").text == ""
    browser.press("i", RIGHT, LEFT)
    assert browser.run(slope) == -1
    browser.press("a")
    assert not browser.run("return document.querySelector('.marks').checkVisibility()")
    assert browser.run("return document.querySelectorAll('.marks')[1]") is None  # the other film has none
    quiet(browser)


def test_hostile_words_are_shown_and_never_run(browser: Browser, tmp_path: Path) -> None:
    for text in exported.HOSTILE:
        opened(browser, exported.hostile(text), tmp_path)
        assert browser.run("return window.hacked") is None, text
        assert browser.run("return document.querySelectorAll('script').length") == 1
        assert not browser.run("return document.querySelectorAll('[onerror], [onload], iframe, a').length")
        quiet(browser)


def test_its_policy_stops_what_would_be_added(browser: Browser, tmp_path: Path) -> None:
    """Were a tag ever to slip through: no script of it runs, and no address is asked for."""
    path = tmp_path / "case.html"
    page = made("html", exported.case()).decode()
    bad = "<script>window.hacked=1</script><img src=http://127.0.0.1:9/x onerror=window.hacked=1>"
    path.write_text(page.replace("</main>", f"{bad}</main>"))
    browser.console(), browser.requested()
    browser.open(path.as_uri())
    assert browser.run("return window.hacked") is None
    assert any("Content Security Policy" in line for line in browser.console())


def test_on_paper_it_is_black_on_white_without_buttons(browser: Browser, tmp_path: Path) -> None:
    opened(browser, exported.case(), tmp_path)
    browser.send("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"media": "print"}})
    style = browser.run(
        "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert style == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
    assert not browser.run("return [...document.querySelectorAll('button')].some((b) => b.checkVisibility())")
    browser.send("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"media": ""}})
