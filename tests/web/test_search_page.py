"""The pages in a real browser: words and films find films, by mouse and by keyboard, and nothing leaves the site."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kit.archive import png, spot
from tests.kit.browser import DOWN, ENTER, ESCAPE, LEFT, RIGHT, UP, Browser
from tests.kit.films import chest_dataset, saved
from tests.web.conftest import HOSTILE, Site

CARDS = "return [...document.querySelectorAll('#grid .card')].map((card) => card.dataset.id)"
SETTLED = "return document.querySelector('#grid').getAttribute('aria-busy') === 'false'"
FOCUSED = "return document.activeElement.dataset.id ?? document.activeElement.id"


def settle(browser: Browser) -> list[str]:
    """Wait for the answer under way; the ids of the films shown."""
    browser.wait(SETTLED)
    return browser.run(CARDS)


def start(browser: Browser, site: Site, query: str = "") -> list[str]:
    browser.open(f"{site.url}/{query}")
    return settle(browser)


def choose(browser: Browser, key: str, value: str) -> None:
    """As a hand on a select or a slider does it."""
    browser.run(
        "const c = document.querySelector(`[data-key=${arguments[0]}]`); c.value = arguments[1];"
        "c.dispatchEvent(new Event('change', {bubbles: true}))",
        key, value,
    )  # fmt: skip


def counted(browser: Browser) -> None:
    """Wait for the counts beside the films."""
    browser.wait("return document.querySelector('#facets').getAttribute('aria-busy') === 'false'")


def ask(browser: Browser, text: str) -> list[str]:
    browser.find("#words").type(text, ENTER)
    browser.wait("return document.querySelector('#status').textContent.includes(' by ')")
    return settle(browser)


def test_the_archive_is_there_to_look_through(browser: Browser, site: Site) -> None:
    assert set(start(browser, site)) <= {*site.row, site.hostile, *site.crowd}
    assert f"{11 + len(site.crowd)} films in the archive" in browser.find("#status").text
    browser.wait(
        "const all = [...document.querySelectorAll('#grid img')];"
        "const seen = all.filter((img) => img.getBoundingClientRect().top < innerHeight);"
        "return seen.length && seen.every((img) => img.complete && img.naturalWidth)"
    )


def test_words_find_films(browser: Browser, site: Site) -> None:
    start(browser, site)
    assert ask(browser, "left")[0] in site.row[:4]
    assert "by web" in browser.find("#status").text
    browser.run("document.querySelector('#words').value = ''")
    assert ask(browser, "right")[0] in site.row[6:]
    assert "q=right" in browser.url
    browser.send("/back", {})
    browser.wait("return document.querySelector('#words').value === 'left'")
    assert settle(browser)[0] in site.row[:4]


def test_a_dropped_film_finds_films(browser: Browser, site: Site) -> None:
    start(browser, site)
    browser.drop(png(spot(0.5, 0.52, 96)), "JANE DOE.png", "image/png")
    browser.wait("return document.querySelector('#status').textContent.includes(' by ')")
    assert settle(browser)[0] in site.row[3:6]
    assert browser.run("return document.querySelector('#subject img').src").startswith("blob:")
    assert "JANE" not in browser.run("return document.documentElement.outerHTML")


def test_a_dropped_picture_of_something_else_is_told(browser: Browser, site: Site) -> None:
    start(browser, site)
    noise = np.random.default_rng(0).integers(0, 256, (96, 96), dtype=np.uint8)
    browser.drop(png(noise), "noise.png", "image/png")
    told = browser.wait("const n = document.querySelector('#nothing'); return !n.hidden && n.innerText")
    assert "No comparable case here" in told and "The film brought looks like no film of this archive" in told
    settle(browser)
    browser.drop(png(255 - spot(0.5, 0.03, 96)), "inverted.png", "image/png")
    browser.wait("return document.querySelector('#nothing').innerText.includes('would if it were inverted')")
    settle(browser)
    browser.drop(png(spot(0.5, 0.52, 96)), "film.png", "image/png")
    browser.wait("return document.querySelector('#nothing').hidden && document.querySelector('#grid .card')")


def test_a_dropped_dicom_file_is_shown(browser: Browser, site: Site) -> None:
    start(browser, site)
    film = chest_dataset((spot(0.5, 0.52, 96).astype(np.uint16)) << 4, ViewPosition="PA")
    browser.drop(saved(film), "JANE DOE.dcm", "")
    browser.wait("const i = document.querySelector('#asked-film img'); return i?.complete && i.naturalWidth === 96")
    assert settle(browser)[0] in site.row[3:6]
    assert "JANE" not in browser.run("return document.documentElement.outerHTML")


def test_an_opened_film_is_seen_large_with_its_window_and_zoom(browser: Browser, site: Site) -> None:
    start(browser, site)
    browser.drop(png(spot(0.5, 0.52, 96)), "film.png", "image/png")
    settle(browser)
    assert browser.run("return [...document.querySelectorAll('.pill.answers input')].map((i) => i.value)") == ["web"]
    browser.find("#open-asked").click()
    browser.wait("return document.querySelector('dialog.large canvas')?.width === 96")
    browser.press(UP, "+")
    told = browser.wait("const t = document.querySelector('.large .tools').innerText; return t.includes('×') && t")
    assert "L 124" in told and "1.3×" in told
    browser.press(ESCAPE)
    browser.wait("return !document.querySelector('dialog.large')")
    assert browser.find("#status").text, "the answer stands behind it"


def test_a_file_that_is_no_film_is_explained(browser: Browser, site: Site) -> None:
    start(browser, site)
    browser.drop(b"this is no picture", "notes.txt", "text/plain")
    told = browser.wait("const a = document.querySelector('#alert'); return !a.hidden && a.textContent")
    assert len(told) > 20
    assert "undefined" not in told
    assert any("422" in line for line in browser.console())


def test_similar_films_leave_out_the_patients_own_unless_told(browser: Browser, site: Site) -> None:
    found = start(browser, site, f"?id={site.row[2]}")
    assert site.row[2] not in found and site.row[3] not in found
    choose(browser, "exclude", "none")
    browser.wait("return location.search.includes('exclude=none')")
    browser.wait(SETTLED)
    found = settle(browser)
    assert site.row[3] in found
    kin = browser.run("return document.querySelector(`[data-id='${arguments[0]}'] .kin`).textContent", site.row[3])
    assert kin == "same patient"


def test_models_can_be_put_together_and_say_how_they_agree(browser: Browser, site: Site) -> None:
    start(browser, site, f"?id={site.row[5]}&models=web,web-mute")
    assert "web + web-mute" in browser.find("#status").text
    assert browser.run("return document.querySelector('#grid .score').textContent") == "2 of 2"
    told = browser.run("return document.querySelector('#grid .score').title")
    assert "web: number " in told and "web-mute: number " in told and "fused score" in told
    browser.find("#how summary").click()
    told = browser.find("#provenance").text
    for part in ("fingerprint", "reciprocal-rank fusion", "NOT image_id", "approximate", "qdrant-client"):
        assert part in told


def test_chips_write_the_filter_and_the_filter_holds(browser: Browser, site: Site) -> None:
    start(browser, site)
    browser.wait("return document.querySelector(\"#facets [data-value='PA']\")")
    browser.find("#facets [data-value='PA']").click()
    assert browser.run("return document.activeElement.dataset.value") == "PA"
    counted(browser)
    assert browser.run("return document.activeElement.dataset.value") == "PA", "the hand stays where it was"
    browser.find("#facets [data-field='labels.edema'][data-value='present']").click()
    browser.wait("return document.querySelector('#status').textContent.includes('pass the filter')")
    browser.wait(SETTLED)
    assert browser.run("return document.querySelector('#where').value") == "view = PA AND labels.edema = present"
    assert set(settle(browser)) == {site.row[1], site.row[3]}
    counted(browser)
    browser.find("#facets [data-value='AP']").click()
    assert browser.run("return document.querySelector('#where').value").startswith("view = PA OR view = AP AND")
    browser.wait("return document.querySelectorAll('#grid .card').length === 4")
    browser.find("#clear").click()
    browser.wait("return document.querySelector('#status').textContent.includes('in the archive')")


def test_a_filter_that_cannot_be_read_is_explained_where_it_is_written(browser: Browser, site: Site) -> None:
    start(browser, site)
    browser.find("#where").type("vew = PA", ENTER)
    told = browser.wait("const e = document.querySelector('#where-error'); return !e.hidden && e.textContent")
    assert "did you mean view" in told
    assert any("400" in line for line in browser.console())


def test_the_keyboard_alone_is_enough(browser: Browser, site: Site) -> None:
    start(browser, site)
    browser.press("/")
    assert browser.run(FOCUSED) == "words"
    browser.press(*"left", ENTER)
    browser.wait("return document.querySelector('#status').textContent.includes(' by ')")
    found = settle(browser)
    browser.press(DOWN)
    assert browser.run(FOCUSED) == found[0]
    browser.press(RIGHT, RIGHT, LEFT)
    assert browser.run(FOCUSED) == found[1]
    across = browser.run(
        "const tops = [...document.querySelectorAll('.card')].map((c) => c.getBoundingClientRect().top);"
        " return tops.findIndex((top) => top > tops[0])"
    )
    browser.press(DOWN)
    assert browser.run(FOCUSED) == found[1 + across]
    browser.press(UP)
    browser.press("s")
    browser.wait("return location.search.includes(`id=${arguments[0]}`)", found[1])
    browser.wait("return document.querySelector('#subject').textContent.includes('like this one')")
    again = settle(browser)
    browser.press(DOWN, ENTER)
    browser.wait("return location.pathname.startsWith('/images/')")
    assert browser.url.endswith(again[0])
    browser.wait("return document.querySelector('#size').textContent.includes('96')")
    browser.press("j")
    browser.wait("return location.pathname.endsWith(arguments[0])", again[1])
    browser.wait("return document.querySelector('#back').href.includes('id=')")
    browser.press(ESCAPE)
    browser.wait("return location.pathname === '/'")
    assert settle(browser) == again


def test_a_film_shows_what_is_known_of_it(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/images/{site.row[4]}")
    browser.wait("return document.querySelectorAll('#near .card').length > 0")
    text = browser.run("return document.querySelector('.facts').innerText")
    for part in (
        "AP",
        "45 y",
        "mass",
        "uncertain",
        "1 stated absent",
        "this film",
        "31 days after",
        "Licence not stated",
    ):
        assert part in text
    assert "96 × 96 of 2048 × 2048" in browser.find("#size").text
    near = browser.run("return [...document.querySelectorAll('#near .card')].map((card) => card.dataset.id)")
    assert site.row[4] not in near and site.row[5] not in near


def test_window_and_level_move_and_come_back(browser: Browser, site: Site) -> None:
    mean = """
    const c = document.querySelector('#view'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let sum = 0; for (let i = 0; i < d.length; i += 4) sum += d[i]; return sum * 4 / d.length;
    """
    browser.open(f"{site.url}/images/{site.row[4]}")
    browser.wait("return document.querySelector('#size').textContent.includes('96')")
    first = browser.run(mean)
    browser.run("document.querySelector('#view').focus()")
    browser.press(UP, UP, UP, UP)
    assert "W 255 L 112" in browser.find("#wl").text
    brighter = browser.run(mean)
    assert brighter > first
    browser.press("i")
    assert browser.run(mean) == pytest.approx(255 - brighter, abs=1.0)
    browser.press("0")
    assert browser.run(mean) == first
    browser.run("""
    const c = document.querySelector('#view');
    c.setPointerCapture = () => {};
    const at = (type, clientX, clientY) =>
      c.dispatchEvent(new PointerEvent(type, {clientX, clientY, pointerId: 1, bubbles: true}));
    at('pointerdown', 100, 100); at('pointermove', 0, 100); at('pointerup', 0, 100);
    """)
    assert browser.run(mean) != first
    browser.run("document.querySelector('#view').dispatchEvent(new MouseEvent('dblclick', {bubbles: true}))")
    assert browser.run(mean) == first


def test_a_film_is_looked_at_closely_and_moved(browser: Browser, site: Site) -> None:
    where = "const r = document.querySelector('#view').getBoundingClientRect(); return [r.width, r.x + r.width / 2]"
    browser.open(f"{site.url}/images/{site.row[4]}")
    browser.wait("return document.querySelector('#size').textContent.includes('96')")
    width, middle = browser.run(where)
    browser.press("+", "+")
    assert browser.find("#zoomed").text == "1.6×"
    assert browser.run(where) == pytest.approx([width * 1.5625, middle], abs=1), "about its middle"
    browser.run("""const c = document.querySelector('#view');
        const r = document.querySelector('#sheet').getBoundingClientRect();
        c.dispatchEvent(new WheelEvent('wheel', {deltaY: -300, ctrlKey: true, clientX: r.x, clientY: r.y + r.height / 2,
        bubbles: true, cancelable: true}));""")
    assert browser.run(where)[1] > middle + width / 2, "the edge under the pointer stays under it"
    browser.run("document.querySelector('#view').focus()")
    browser.run("document.querySelector('#view').dispatchEvent(new KeyboardEvent('keydown', "
                "{key: 'ArrowRight', shiftKey: true, bubbles: true}))")  # fmt: skip
    assert browser.find("#wl").text == "", "moving a film leaves its window alone"
    for _ in range(60):
        browser.run("document.querySelector('#closer').click()")
    assert browser.find("#zoomed").text == "8.0×"
    browser.press("0")
    assert browser.run(where) == pytest.approx([width, middle], abs=1)
    assert browser.find("#zoomed").text == ""


def test_markup_in_films_words_is_shown_as_text(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/images/{site.hostile}")
    browser.wait("return document.querySelectorAll('#near .card').length > 0")
    assert HOSTILE in browser.run("return document.querySelector('.statements .chip').textContent")
    assert HOSTILE in browser.run("return document.querySelector('.report').textContent")
    assert HOSTILE in browser.run("return document.querySelector('.rights').textContent")
    start(browser, site, "?where=dataset+%3D+other")
    assert HOSTILE in browser.run("return document.querySelector('#grid .chip').textContent")
    browser.wait("return document.querySelector('#facets .choice')")
    assert not browser.run("return document.querySelector('[onerror]')")
    start(browser, site, "?q=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&where=%3Cscript%3E&models=%22%3E%3Cb%3E")
    assert "pwned" not in browser.run("return document.title")
    assert not browser.run("return document.querySelector('[onerror]')")
    assert any("400" in line for line in browser.console())


def test_a_tablet_has_all_of_it_without_scrolling_sideways(browser: Browser, site: Site) -> None:
    asked = f"?id={site.row[4]}&q=left&models=web&priors=1&group=patient"
    try:
        for width, height in ((820, 1180), (1180, 820), (390, 844)):
            browser.resize(width, height)
            for path in ("", asked, f"images/{site.row[4]}", "about", "jobs", "runs"):
                browser.open(f"{site.url}/{path}")
                browser.wait("return document.readyState === 'complete'")
                if path == asked:
                    browser.wait(
                        "return document.querySelector('#grid .group') && !document.querySelector('#priors').hidden"
                    )
                    browser.find("#further summary").click()
                over = "const d = document.documentElement; return d.scrollWidth - d.clientWidth"
                assert browser.run(over) == 0, (width, path)
    finally:
        browser.resize(1366, 768)


def test_every_control_has_a_name_and_every_picture_a_text(browser: Browser, site: Site) -> None:
    for path in ("", f"?id={site.row[4]}&priors=1", f"images/{site.row[4]}", "about", "jobs", "runs"):
        browser.open(f"{site.url}/{path}")
        browser.wait("return document.readyState === 'complete'")
        browser.wait("return document.querySelector('#grid')?.getAttribute('aria-busy') !== 'true'")
        nameless = browser.run("""
        const named = (e) => e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim() || e.title;
        return [...document.querySelectorAll('a, button, input, select, textarea, [tabindex="0"]')]
          .filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 120))
          .concat([...document.querySelectorAll('img:not([alt])')].map((e) => e.outerHTML));
        """)
        assert nameless == []
        assert browser.run("return document.querySelectorAll('h1').length") == 1


def test_what_was_measured_of_answers_is_shown(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/about")
    rows = {line.split()[0]: line for line in browser.find("#quality tbody").text.splitlines()}
    assert "not calibrated" in rows["web"] and "40 films" in rows["web"]
    assert "film" in rows["web-mute"] and "not measured" in rows["web-mute"]


def test_the_other_pages_answer(browser: Browser, site: Site) -> None:
    for path, words in (("about", "Research use only"), ("jobs", "No jobs yet"), ("runs", "No analyses yet")):
        browser.open(f"{site.url}/{path}")
        assert browser.wait(f"return document.querySelector('main').innerText.includes('{words}')")
    browser.open(f"{site.url}/images/00000000-0000-5000-8000-000000000000")
    assert "No such film" in browser.find("main").text
    assert any("404" in line for line in browser.console())
