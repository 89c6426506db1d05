"""The catalogue: complete, honest, and told alike in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.encoders.families import FAMILIES
from services.encoders.known import CATALOG, Known, index, known
from services.encoders.manifest import CODE, name_of, relative

ROOT = Path(__file__).parents[2]
ENTRIES = list(known().values())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_says_what_it_is_how_to_get_it_and_on_what_terms(entry: Known) -> None:
    assert (CATALOG / f"{name_of(entry.name)}.toml").is_file()
    assert entry.family in FAMILIES and entry.summary and entry.vector
    assert entry.licence.use in ("any", "research", "non-commercial")
    assert entry.licence.name and entry.licence.url.startswith("https://")
    assert bool(entry.source.repo) != bool(entry.source.manual), "a hub's repository, or what to do by hand"
    assert entry.source.repo == "" or entry.source.files
    assert not entry.licence.gated or entry.licence.access, "say how to be let in"
    for pattern in entry.source.files:
        assert not pattern.lower().endswith(CODE) and ".." not in pattern and pattern not in ("*", "**")
    for extra in entry.source.extra:
        assert {"repo", "file", "to"} <= extra.keys() and relative(extra["to"])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_its_page_tells_how_to_get_it(entry: Known) -> None:
    page = (ROOT / entry.doc).read_text()
    assert entry.name in page and "hilum models" in page


def test_the_index_is_that_of_the_catalogue() -> None:
    """Write it anew with: python -c 'from services.encoders.known import index; print(index())'."""
    assert index() in (ROOT / "docs" / "models" / "README.md").read_text()
