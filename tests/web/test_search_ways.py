"""Ways to search, in a real browser: modes, parts of films, marks, groups, pages, and why a film is missing."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest

from tests.kit.archive import png, spot
from tests.kit.browser import ENTER, ESCAPE, RIGHT, Browser
from tests.web.conftest import HOSTILE, Site
from tests.web.test_search_page import CARDS, choose, settle, start

TEXT = "return document.querySelector(arguments[0])?.innerText ?? ''"
TEXTS = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)"
STATUS = "return document.querySelector('#status').textContent.includes(arguments[0])"
FOCUS = "document.querySelector(`#grid .card[data-id='${arguments[0]}']`).focus()"


def came(browser: Browser, *parts: str) -> list[str]:
    """Wait for the address to say this and for its answer; the ids of the films shown."""
    for part in parts:
        browser.wait("return location.search.includes(arguments[0])", part)
    return settle(browser)


def drag(browser: Browser, selector: str, *points: tuple[float, float], kind: str = "mouse") -> None:
    """A real mouse, or a finger (touch), over the element, at fractions of it."""
    left, top, width, height = browser.run(
        "const b = document.querySelector(arguments[0]).getBoundingClientRect(); return [b.x, b.y, b.width, b.height]",
        selector,
    )
    moves = [
        {"type": "pointerMove", "duration": 0, "x": round(left + x * width), "y": round(top + y * height)}
        for x, y in points
    ]
    hand = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
    browser.send(
        "/actions", {"actions": [{"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": hand}]}
    )


def test_a_long_answer_comes_in_pages_without_a_gap(browser: Browser, site: Site) -> None:
    start(browser, site, "?q=upper&where=dataset+%3D+crowd")
    browser.wait("scrollTo(0, 1e6); return document.querySelectorAll('#grid .card').length === 29")
    found = browser.run(CARDS)
    assert set(found) | {site.crowd[0]} | {site.crowd[1]} == set(site.crowd) and len(set(found)) == 29
    assert browser.run(TEXTS, "#grid .rank") == [str(rank) for rank in range(1, 30)]
    browser.wait(STATUS, "29 films by")


def test_a_hit_tells_its_copies_and_that_it_is_a_hub(browser: Browser, site: Site) -> None:
    start(browser, site, "?q=left&where=dataset+%3D+crowd&limit=96")
    browser.wait("scrollTo(0, 1e6); return document.querySelectorAll('#grid .card').length === 29")
    found = browser.run(CARDS)
    flags = dict(
        browser.run("""
    return [...document.querySelectorAll('#grid .flag')].map((f) => [f.textContent, f.closest('.card').dataset.id]);
    """)
    )
    [one] = {site.crowd[0], site.crowd[1]} & set(found)
    assert flags["1 copy"] == one
    [hub] = [name for name in flags if name.startswith("hub")]
    assert flags[hub] == site.crowd[2] and int(hub.split("×")[1]) >= 5
    browser.run("[...document.querySelectorAll('#grid .flag')].find((f) => f.textContent === '1 copy').click()")
    assert browser.url.endswith("limit=96"), "a flag opens no film"
    told = browser.wait("const t = document.querySelector('#told'); return t.matches(':popover-open') && t.innerText")
    assert "web number " in " ".join(told.split()) and one in told
    [copy] = {site.crowd[0], site.crowd[1]} - {one}
    assert browser.run("return document.querySelector('#told a').href").endswith(copy)
    browser.press(ESCAPE)
    assert not browser.run("return document.querySelector('#told').matches(':popover-open')")


def test_words_are_read_and_can_be_taken_as_typed(browser: Browser, site: Site) -> None:
    start(browser, site, "?q=left+effusion+without+pneumothorax&where=dataset+%3D+demo")
    told = " ".join(browser.find("#reading").text.split())
    assert told == "Read as left pleural effusion — present pneumothorax — absent as typed"
    browser.find("#reading button").click()
    came(browser, "plain=1")
    assert "as typed" in browser.find("#reading").text and "absent" not in browser.find("#reading").text
    browser.find("#reading button").click()
    browser.wait("return !location.search.includes('plain')")
    settle(browser)
    browser.find("#words").type(f" {HOSTILE}", ENTER)
    browser.wait("return location.search.includes('pwned')")
    settle(browser)
    assert not browser.run("return document.querySelector('[onerror]')")


def test_scores_mean_something_where_they_were_calibrated(browser: Browser, site: Site) -> None:
    start(browser, site, f"?id={site.crowd[9]}&models=web-mute&where=dataset+%3D+crowd")
    assert browser.run(TEXT, "#grid .score") == "> 99 %"
    assert browser.run(TEXT, "#grid .sure") == "> 99 % (99–100) share a finding"
    assert not browser.run("return document.querySelector('#nothing').offsetParent")
    browser.wait("return document.querySelectorAll('[data-key=about] option').length > 1")
    choose(browser, "about", "edema")
    came(browser, "about=edema")
    assert "No comparable case here" in browser.wait(
        "const n = document.querySelector('#nothing'); return !n.hidden && n.innerText"
    )
    assert "share edema" in browser.run(TEXT, "#grid .sure")
    choose(browser, "sure", "0.9")
    came(browser, "sure=0.9")
    assert "Ask for a lower probability" in browser.find("#grid").text


def test_marks_move_the_answer_and_the_back_button_takes_them_back(browser: Browser, site: Site) -> None:
    first = start(browser, site, "?q=centre&where=dataset+%3D+demo")
    right, left = site.row[9], site.row[0]
    browser.run(FOCUS, right)
    browser.press("+")
    browser.run(FOCUS, left)
    browser.press("-")
    assert "1 more like, 1 less like" in browser.find("#refine").text
    assert "like" not in browser.url, "nothing is asked anew yet"
    browser.press("r")
    refined = came(browser, f"like={right}", f"unlike={left}")
    assert right not in refined and left not in refined
    assert refined.index(site.row[7]) < refined.index(site.row[2])
    browser.send("/back", {})
    browser.wait("return !location.search.includes('like')")
    assert settle(browser) == first
    browser.run(
        f"document.querySelector(`#grid .card[data-id='{right}']`).closest('.tile').querySelector('.like').click()"
    )
    pressed = "return [...document.querySelectorAll('.thumb[aria-pressed=true]')].map((t) => t.dataset.way)"
    assert browser.run(pressed) == ["like"]
    browser.find("#unmark").click()
    assert browser.run(pressed) == []


def test_a_saved_search_keeps_its_marks_and_opens_again(browser: Browser, site: Site) -> None:
    found = start(browser, site, "?q=left&models=web&where=dataset+%3D+demo")
    browser.run(FOCUS, found[1])
    browser.press("+")
    browser.find("#saved summary").click()
    browser.wait("return document.querySelector('#save-title').value")  # the name that the page proposes
    browser.run("const t = document.querySelector('#save-title'); t.focus(); t.value = arguments[0]", HOSTILE)
    browser.find("#save-title").type(ENTER)
    browser.wait("return location.search.includes('saved=')")
    browser.wait("return document.querySelector('#save-said').textContent === 'Saved.'")
    search = browser.run("return new URLSearchParams(location.search).get('saved')")
    marks = f"{site.url}/v1/searches/{search}/marks"
    assert httpx.get(marks).json()["marks"] == [{"image_id": found[1], "grade": 1}]
    browser.run(FOCUS, found[2])
    browser.press("-")
    browser.wait("return fetch(arguments[0]).then((r) => r.json()).then((m) => m.marks.length === 2)", marks)
    start(browser, site)
    browser.find("#saved summary").click()
    browser.wait("return document.querySelector('.saved-one')")
    assert HOSTILE in browser.run("return document.querySelector('.saved-one').textContent")
    browser.run("document.querySelector('.saved-one').click()")
    assert came(browser, "q=left", "models=web", f"saved={search}") == found
    browser.wait("return document.querySelectorAll('.thumb[aria-pressed=true]').length === 2")
    browser.find("#saved summary").click()
    browser.wait("return document.querySelector('.saved-list .link')")
    browser.run("document.querySelector('.saved-list .link').click()")
    browser.wait("return document.querySelector('#saved-list').textContent.includes('Nothing saved')")
    assert httpx.get(marks).status_code == 404


def test_a_part_of_the_film_is_searched_by_mouse_and_by_keys(browser: Browser, site: Site) -> None:
    start(browser, site, f"?id={site.row[4]}")
    browser.wait("const i = document.querySelector('.part img'); return i.complete && i.naturalWidth")
    drag(browser, ".part", (0.25, 0.25), (0.5, 0.5), (0.75, 0.75))
    came(browser, "box=0.2")
    x, y, width, height = map(float, browser.run("return new URLSearchParams(location.search).get('box')").split(","))
    assert [x, y, width, height] == pytest.approx([0.25, 0.25, 0.5, 0.5], abs=0.02)
    assert "Only this part" in browser.find("#part-said").text
    browser.find("#whole").click()
    browser.wait("return !location.search.includes('box')")
    settle(browser)
    browser.run("document.querySelector('.part').focus()")
    browser.press(ENTER, RIGHT)
    assert "32 %" in browser.find("#part-said").text
    browser.press(ENTER)
    came(browser, "box=0.32")


def test_an_opened_film_has_parts_too_and_words_beside_it(browser: Browser, site: Site) -> None:
    start(browser, site, "?where=dataset+%3D+demo")
    browser.drop(png(spot(0.5, 0.1, 96)), "film.png", "image/png")
    browser.wait(STATUS, " by ")
    assert settle(browser)[0] in site.row[:2]
    browser.find("#words").type("right", ENTER)
    browser.wait("return location.search.includes('q=right')")
    mixed = settle(browser)
    assert mixed != sorted(mixed, key=site.row.index), "words weigh, too"
    choose(browser, "lean", "95")
    assert came(browser, "lean=95")[0] in site.row[6:]
    choose(browser, "lean", "50")
    drag(browser, ".part", (0.1, 0.1), (0.6, 0.9))
    came(browser, "box=")
    assert not browser.run("return document.querySelector('#alert').offsetParent")


def test_priors_stand_apart_in_time_order(browser: Browser, site: Site) -> None:
    found = start(browser, site, f"?id={site.row[5]}&priors=1")
    assert site.row[4] not in found
    told = browser.run(TEXTS, "#priors-films li")
    assert [" ".join(one.split()) for one in told] == ["AP 31 days before", "PA this film"]
    assert browser.run("return document.querySelector('#priors-films a').href").endswith(site.row[4])
    choose(browser, "exclude", "none")
    assert site.row[4] in came(browser, "exclude=none")


def test_lookalikes_have_another_diagnosis_and_say_which(browser: Browser, site: Site) -> None:
    start(browser, site, f"?id={site.row[0]}")
    choose(browser, "mode", "lookalike")
    assert set(came(browser, "mode=lookalike")) == set(site.row[7:])
    assert set(browser.run(TEXTS, "#grid .why")) == {"has fracture"}


def test_disagreement_asks_two_models_and_tells_their_ranks(browser: Browser, site: Site) -> None:
    start(browser, site, f"?id={site.row[4]}&where=dataset+%3D+demo")
    choose(browser, "mode", "disagree")
    found = came(browser, "mode=disagree", "models=web%2Cweb-mute")
    assert len(found) == 8 and all("web " in why and "web-mute " in why for why in browser.run(TEXTS, "#grid .why"))


def test_typical_films_of_a_finding_need_no_question(browser: Browser, site: Site) -> None:
    start(browser, site)
    browser.wait("return document.querySelectorAll('#finding option').length > 1")
    choose(browser, "mode", "typical")
    assert "Choose the finding" in browser.wait(
        "const a = document.querySelector('#alert'); return !a.hidden && a.innerText"
    )
    choose(browser, "finding", "edema")
    assert set(came(browser, "finding=edema")) == set(site.row[:4])


def test_films_stand_together_by_patient_and_arrows_walk_through(browser: Browser, site: Site) -> None:
    found = start(browser, site, "?q=left&group=patient&where=dataset+%3D+demo")
    assert len(found) == 10
    groups = browser.run(
        "return [...document.querySelectorAll('.group')].map((g) => g.querySelectorAll('.card').length)"
    )
    assert groups == [2] * 5
    browser.run(FOCUS, found[0])
    browser.press(RIGHT, RIGHT)
    assert browser.run("return document.activeElement.dataset.id") == found[2]


def test_counts_follow_the_filter_and_the_other_choices_stay(browser: Browser, site: Site) -> None:
    start(browser, site, "?where=view+%3D+PA")
    shown = (
        "const [field, value] = arguments;"
        "return document.querySelector(`#facets [data-field='${field}'][data-value='${value}']`)?.innerText"
    )
    browser.wait(shown, "view", "PA")
    facets = httpx.post(f"{site.url}/v1/images:facets", json={"filter": "view = PA"}).json()["facets"]
    [edema] = [{c["value"]: c["count"] for c in f["counts"]} for f in facets if f["field"] == "labels.edema"]
    assert browser.run(shown, "labels.edema", "present") == str(edema["present"]) == "2"
    assert browser.run(shown, "view", "AP") == "AP5"
    browser.find("#facets [data-field='labels.edema'][data-value='present']").click()
    assert set(came(browser, "edema")) == {site.row[1], site.row[3]}


def test_why_a_film_is_missing(browser: Browser, site: Site) -> None:
    start(browser, site, f"?id={site.row[2]}&where=view+%3D+AP")
    browser.find("#whynot summary").click()
    said = "const s = document.querySelector('#whynot-said'); return !s.innerText.includes('Looking') && s.innerText"
    browser.find("#whynot-id").type("that one", ENTER)
    assert "Paste" in browser.wait(said)
    browser.run("document.querySelector('#whynot-id').value = ''")
    browser.find("#whynot-id").type(f"{site.url}/images/{site.row[3]}", ENTER)
    told = browser.wait("const t = document.querySelector('#whynot-said').innerText; return t.includes('patient') && t")
    assert "view" in told.lower() and "part of the filter" in told
    browser.open(f"{site.url}/images/{site.row[3]}")
    browser.wait("return !document.querySelector('#lost').hidden")
    browser.find("#lost").click()
    browser.wait("return document.querySelector('#whynot')?.open")
    assert "same patient" in browser.wait(said)


def test_a_prior_lies_beside_its_film_under_one_window(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/images/{site.row[5]}")
    browser.wait("return document.querySelector('#size').textContent.includes('96')")
    browser.press("c")
    browser.wait("return document.querySelector('.compared canvas')?.width === 96")
    assert "AP, 31 days before" in browser.run(TEXT, ".compared .caption")
    assert f"beside={site.row[4]}" in browser.url
    means = """
    return ['#view', '.compared canvas'].map((s) => {
      const c = document.querySelector(s), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      return d.reduce((sum, v, i) => sum + (i % 4 ? 0 : v), 0) * 4 / d.length;
    });
    """
    before = browser.run(means)
    browser.press("i")
    assert browser.run(means) == pytest.approx([255 - mean for mean in before], abs=1)
    drag(browser, ".compared canvas", (0.5, 0.5), (0.5, 0.4))
    assert "L " in browser.find("#wl").text
    browser.press("c")
    assert not browser.run("return document.querySelector('.compared')") and "beside" not in browser.url


def test_a_finger_draws_a_part_on_the_large_film(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/images/{site.row[5]}")
    browser.wait("return document.querySelector('#size').textContent.includes('96')")
    browser.press("p")
    drag(browser, ".part-of", (0.25, 0.5), (0.5, 0.7), (0.75, 0.9), kind="touch")
    browser.wait("return location.pathname === '/' && location.search.includes('box=')")
    settle(browser)
    box = [float(side) for side in browser.run("return new URLSearchParams(location.search).get('box')").split(",")]
    assert box == pytest.approx([0.25, 0.5, 0.5, 0.4], abs=0.01)


def test_an_address_that_was_meddled_with_does_no_harm(browser: Browser, site: Site) -> None:
    bad = quote(HOSTILE)
    queries = (
        f"q=left&box={bad}&lean={bad}",
        f"finding={bad}&mode=typical",
        "q=left&cap=1e9&limit=-3&diversity=NaN",
        f"like={bad}",
        f"run={bad}",
    )
    for query in queries:
        start(browser, site, f"?{query}")
        assert "pwned" not in browser.run("return document.title")
        assert not browser.run("return document.querySelector('[onerror]')")
        assert "This page failed" not in browser.run("return document.body.innerText")
    browser.console()
