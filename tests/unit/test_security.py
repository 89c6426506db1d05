"""A path stays inside its root, whatever it is called; a token is compared whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.security import confine, same_token


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a film, beside a secret."""
    inside = tmp_path / "films"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "film.dcm").touch()
    (tmp_path / "secret").touch()
    (tmp_path / "films-more").mkdir()
    return inside


@pytest.mark.parametrize("path", ["sub/film.dcm", "sub/../sub/film.dcm", ".", "not-there-yet"])
def test_what_is_inside_is_given_back_resolved(root: Path, path: str) -> None:
    assert confine(root, path) == (root / path).resolve()
    assert confine(root, (root / path).absolute()) == (root / path).resolve()


@pytest.mark.parametrize("path", ["..", "../secret", "sub/../../secret", "/etc/passwd", "../films-more", "a\0b"])
def test_what_is_outside_is_nowhere(root: Path, path: str) -> None:
    assert confine(root, path) is None


def test_links_are_followed_before_judging(root: Path) -> None:
    (root / "out").symlink_to(root.parent / "secret")
    (root / "up").symlink_to(root.parent)
    (root / "in").symlink_to(root / "sub")
    (root / "loop").symlink_to(root / "loop")
    assert confine(root, "in/film.dcm") == root.resolve() / "sub" / "film.dcm"
    assert [confine(root, path) for path in ("out", "up/secret", "loop")] == [None, None, None]


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert confine(link, "sub/film.dcm") == root.resolve() / "sub" / "film.dcm"


@given(st.lists(st.sampled_from(["..", ".", "sub", "/", "a\\b", "...", "~", "\0", "é"]) | st.text(max_size=8)))
def test_no_path_leads_out(parts: list[str]) -> None:
    root = Path("/srv/films")
    found = confine(root, "/".join(parts))
    assert found is None or found.is_relative_to(root)


def test_tokens() -> None:
    assert same_token("abc", "abc")
    assert not any(same_token(given, "abc") for given in (None, "", "ab", "abcd", "ABC", "abc ", "ä", "\udc80"))
    assert not same_token("", "") and not same_token(None, "")
