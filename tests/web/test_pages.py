"""What every page promises to the browser, without one."""

from __future__ import annotations

import re

import httpx
import pytest

from services.query.web.render import apart, years
from tests.web.conftest import HOSTILE, Site


def paths(site: Site) -> list[str]:
    return [
        "/",
        f"/images/{site.row[0]}",
        f"/images/{site.hostile}",
        "/about",
        "/teaching",
        "/teaching/results",
        "/teaching/some-file",
        "/teaching/some-file/quiz",
        "/jobs",
        "/runs",
        "/cohorts",
        "/cohorts/adults",
        "/images/nonsense",
    ]


def test_pages_run_no_script_but_the_sites_own(site: Site) -> None:
    for path in paths(site):
        answer = httpx.get(site.url + path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*\bsrc=\"/static/)", answer.text), path
        assert not re.search(r"\son\w+=|style=\"|javascript:|https?://", answer.text.replace(_escaped(), "")), path


def test_words_of_films_are_escaped(site: Site) -> None:
    page = httpx.get(f"{site.url}/images/{site.hostile}").text
    assert HOSTILE not in page
    assert page.count(_escaped()) >= 4


def test_files_are_kept_until_they_change(site: Site) -> None:
    first = httpx.get(f"{site.url}/static/hilum.css")
    assert first.headers["content-type"].startswith("text/css")
    again = httpx.get(f"{site.url}/static/hilum.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["..%2Frender.py", "%2e%2e/%2e%2e/api.py", "render.py", "nothing.js"])
def test_only_the_pages_own_files_are_served(site: Site, name: str) -> None:
    assert httpx.get(f"{site.url}/static/{name}").status_code == 404


def test_errors_are_pages_for_people(site: Site) -> None:
    answer = httpx.get(f"{site.url}/images/nonsense")
    assert answer.status_code == 400
    assert "An image id is a UUID" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_a_page_elsewhere_cannot_reach_in_under_a_name_of_its_own(site: Site) -> None:
    assert httpx.get(site.url, headers={"host": "evil.example"}).status_code == 400


def test_ages_and_times_are_said_as_people_say_them() -> None:
    assert [years(None), years(0.5), years(1.9), years(63.9)] == ["", "6 mo", "23 mo", "63 y"]
    assert apart("2020-01-01", "2020-01-01") == "same day"
    assert apart("2020-01-01", "2020-01-02") == "1 day before"
    assert apart("2020-03-10", "2020-01-02") == "2 months after"
    assert apart("2010-01-01", "2020-01-02") == "10 years before"
    assert apart(None, "2020-01-02") == apart("2020-01-02", "yesterday") == ""


def _escaped() -> str:
    from markupsafe import escape

    return str(escape(HOSTILE))
