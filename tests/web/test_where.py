"""Where a model sees what was asked, laid over films in a real browser."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO

import httpx
import numpy as np
from PIL import Image

from tests.kit.browser import ENTER, Browser
from tests.web.conftest import Site
from tests.web.test_search_page import ask, settle, start

LAYERS = "return document.querySelectorAll('.layer').length"
SAID = "return document.querySelector('#spot-said').textContent"
SHOWN = "const l = document.querySelector(arguments[0]); return l?.complete && l.naturalWidth ? l.src : null"


def layer(site: Site, shown: str, model: str = "web", place: int = 0, **query: str) -> str:
    """What the service answers, as the address of a picture."""
    answer = httpx.post(f"{site.url}/v1/images/{shown}:explain", json={"query": query, "model": model}).json()
    return f"data:image/png;base64,{answer['maps'][place]['layer']['data']}"


def alike(one: str, other: str) -> bool:
    """Two pictures by their addresses: equal but for the last bits of numbers that shared a batch with others."""
    seen = [np.asarray(Image.open(BytesIO(b64decode(a.split(",")[1]))), dtype=np.int16) for a in (one, other)]
    return seen[0].shape == seen[1].shape and int(np.abs(seen[0] - seen[1]).max()) <= 2


def open_film(browser: Browser, site: Site, image_id: str) -> None:
    browser.open(f"{site.url}/images/{image_id}")
    browser.wait("return document.querySelector('#size').textContent.includes('96')")


def test_results_show_where_at_a_key_and_hide_it_again(browser: Browser, site: Site) -> None:
    start(browser, site)
    assert not browser.run("return document.querySelector('#spots').offsetParent"), "nothing is asked yet"
    films = ask(browser, "left")
    browser.press("\ue00c", "w")
    browser.wait(f"{LAYERS} >= 5")
    assert "web, by hiding" in browser.wait(
        SAID + ".includes('Bright') && document.querySelector('#spot-said').textContent"
    )
    assert alike(browser.wait(SHOWN, f"[data-id='{films[0]}'] .layer"), layer(site, films[0], text="left"))
    shares = browser.run(
        "return [...document.querySelectorAll('.layer')].map((l) => Number(l.style.getPropertyValue('--share')))"
    )
    assert max(shares) == 1 and min(shares) < 1
    strength = """
    const one = document.querySelector('.layer');
    return getComputedStyle(one).opacity / one.style.getPropertyValue('--share');
    """
    assert abs(browser.run(strength) - 0.9) < 0.01
    browser.run("const s = document.querySelector('#opacity'); s.value = 30; s.dispatchEvent(new Event('input'))")
    assert abs(browser.run(strength) - 0.3) < 0.01
    browser.press("w")
    assert browser.run(LAYERS) == 0 and browser.run(SAID) == ""
    browser.press("w")
    browser.wait(LAYERS)
    browser.run("document.querySelector('#words').value = ''")
    ask(browser, "right")
    browser.wait(LAYERS)
    [first, *_] = settle(browser)
    assert alike(browser.wait(SHOWN, f"[data-id='{first}'] .layer"), layer(site, first, text="right"))


def test_a_film_answers_the_words_it_was_found_by_and_others(browser: Browser, site: Site) -> None:
    start(browser, site, "?q=left")
    open_film(browser, site, site.row[1])
    browser.press("w")
    assert alike(browser.wait(SHOWN, "#sheet .layer"), layer(site, site.row[1], text="left"))
    assert "Similarity" in browser.run(SAID) and "not what a disease is" in browser.run(SAID)
    same = """
    const [a, b] = ['#view', '#sheet .layer'].map((s) => document.querySelector(s));
    const box = (e) => e.getBoundingClientRect();
    return ['x', 'y', 'width', 'height'].every((k) => Math.abs(box(a)[k] - box(b)[k]) < 1)
      && a.width === b.naturalWidth && a.height === b.naturalHeight;
    """
    assert browser.run(same), "the layer lies on the film"
    assert browser.run("return document.querySelector('#spots').getBoundingClientRect().bottom <= innerHeight")
    browser.run("document.querySelector('#spot-words').value = ''")
    browser.find("#spot-words").type("web-lower", ENTER)
    browser.wait(SAID + ".includes('Similarity')")
    browser.find("#spot").click()
    assert browser.run(LAYERS) == 0


def test_a_film_opened_by_itself_asks_what_to_look_for(browser: Browser, site: Site) -> None:
    start(browser, site)
    open_film(browser, site, site.row[1])
    browser.press("w")
    assert browser.run("return document.activeElement.id") == "spot-words"
    browser.press(ENTER)
    assert browser.run(SAID) == "Say what to look for."
    browser.find("#spot-words").type("right", ENTER)
    assert alike(browser.wait(SHOWN, "#sheet .layer"), layer(site, site.row[1], text="right"))


def test_two_films_lie_side_by_side(browser: Browser, site: Site) -> None:
    start(browser, site, f"?id={site.row[4]}")
    open_film(browser, site, site.row[7])
    browser.press("w")
    browser.wait(f"{LAYERS} === 2")
    for place, sheet in enumerate(("#sheet", ".sheet:not(#sheet)")):
        asked = layer(site, site.row[7], place=place, image_id=site.row[4])
        assert browser.wait(SHOWN, f"{sheet} .layer") == asked
    assert browser.run("return document.querySelector('.caption').href").endswith(site.row[4])
    tops = "return [...document.querySelectorAll('.sheet')].map((s) => Math.round(s.getBoundingClientRect().top))"
    one, other = browser.run(tops)
    assert one == other


def test_a_model_without_words_says_so(browser: Browser, site: Site) -> None:
    start(browser, site, f"?id={site.row[4]}&models=web-mute")
    open_film(browser, site, site.row[7])
    browser.find("#spot").click()
    browser.find("#spot-words").type("left", ENTER)
    browser.wait(SAID + ".includes('cannot answer words')")
    assert any("412" in line or "400" in line or "409" in line for line in browser.console())
    assert browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
