"""Texts of a case as formats set them."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.teaching.document import clean
from services.query.teaching.export.words import Block, Span, Style, blocks, html, plain

SIGNS = st.text(st.sampled_from("ab <>&\"'*-1.)\n\t=[]{}"), max_size=80)


def test_paragraphs_lists_and_styles_are_told_apart() -> None:
    text = "One **two**\nthree\n\n- *a* b\n  and on\n- c\n1. x\n2) y\n\n2 * 3 * 4 -5"
    assert blocks(text) == [
        Block("p", ((Span("One "), Span("two", Style.STRONG), Span(" three")),)),
        Block("ul", ((Span("a", Style.EMPHASIS), Span(" b and on")), (Span("c"),))),
        Block("ol", ((Span("x"),), (Span("y"),))),
        Block("p", ((Span("2 * 3 * 4 -5"),),)),
    ]
    assert plain(text) == "One two three\n\n- a b and on\n- c\n\n- x\n- y\n\n2 * 3 * 4 -5"


def test_html_is_tags_of_ours_around_words_of_theirs() -> None:
    assert html("**<b>** & <script>") == "<p><strong>&lt;b&gt;</strong> &amp; &lt;script&gt;</p>"


class Words(HTMLParser):
    """What a reader sees, and the tags around it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said, self.tags = "", set[str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags |= {tag, *(name for name, _ in attrs)}

    def handle_data(self, data: str) -> None:
        self.said += data


@given(SIGNS)
def test_no_word_is_lost_and_no_tag_is_theirs(text: str) -> None:
    seen = Words(html(text))
    assert seen.tags <= {"p", "ul", "ol", "li", "em", "strong"}
    letters = re.compile(r"[a-b<>&\"'=\[\]{}]")
    assert letters.findall(seen.said) == letters.findall(clean(text))


@pytest.mark.parametrize("text", ["**a " * 10_000, "*" * 40_000, "* " * 20_000, "*a" * 20_000, "- \n" * 13_000])
def test_a_text_of_nothing_but_marks_is_read_in_time(text: str) -> None:
    begun = time.perf_counter()
    html(text)
    assert time.perf_counter() - begun < 3
