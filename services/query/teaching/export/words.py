"""Texts of a case as every format can set them: paragraphs and lists of words that are plain, emphasised or strong.

The small Markdown that documents are written in (blank lines part paragraphs, lines that begin with ``- `` or ``1. ``
are lists, ``*emphasis*``, ``**strong**``); everything else is text as it stands, `<` and `=` with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from html import escape

from services.query.teaching.document import clean

_BULLET = re.compile(r"\s{0,3}[-*•]\s+(?=\S)")
_NUMBER = re.compile(r"\s{0,3}\d{1,3}[.)]\s+(?=\S)")
# Bounded, or a text of nothing but opening marks would be read as often as it has them.
_STYLED = re.compile(r"\*\*(?=\S)(.{1,400}?)(?<=\S)\*\*|\*(?=\S)([^*]{1,400}?)(?<=\S)\*")


class Style(StrEnum):
    """How words are set; the values are HTML's names."""

    PLAIN = ""
    EMPHASIS = "em"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Span:
    """Words in one style."""

    text: str
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True)
class Block:
    """kind: ``p``, or ``ul`` and ``ol``, lists.  lines: a paragraph's one, a list's items."""

    kind: str
    lines: tuple[tuple[Span, ...], ...]


def blocks(text: str) -> list[Block]:
    """The paragraphs and lists of a text."""
    found: list[Block] = []
    for part in re.split(r"\n\s*\n", clean(text)):
        for kind, lines in _runs(part.split("\n")):
            whole = lines if kind != "p" else [" ".join(lines)]
            found.append(Block(kind, tuple(spans(line) for line in whole)))
    return found


def spans(line: str) -> tuple[Span, ...]:
    """A line's words by style."""
    found, at = [], 0
    for match in _STYLED.finditer(line):
        found.append(Span(line[at : match.start()]))
        strong, emphasised = match.groups()
        found.append(Span(strong, Style.STRONG) if strong else Span(emphasised, Style.EMPHASIS))
        at = match.end()
    found.append(Span(line[at:]))
    return tuple(span for span in found if span.text)


def plain(text: str) -> str:
    """The text without marks of style: paragraphs parted by a blank line, items of lists begun by a dash."""
    said = []
    for block in blocks(text):
        lines = ["".join(span.text for span in line) for line in block.lines]
        said.append("\n".join(lines if block.kind == "p" else (f"- {line}" for line in lines)))
    return "\n\n".join(said)


def html(text: str) -> str:
    """The text as HTML; nothing in it is taken for a tag."""
    return "".join(_tagged(block) for block in blocks(text))


def line(text: str) -> str:
    """One line, cleaned."""
    return " ".join(clean(text).split())


def _tagged(block: Block) -> str:
    lines = ["".join(_styled(span) for span in line) for line in block.lines]
    if block.kind == "p":
        return f"<p>{lines[0]}</p>"
    return f"<{block.kind}>" + "".join(f"<li>{line}</li>" for line in lines) + f"</{block.kind}>"


def _styled(span: Span) -> str:
    text = escape(span.text)
    return f"<{span.style}>{text}</{span.style}>" if span.style else text


def _runs(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Lines of the same kind that follow each other; an item goes on in lines that begin no other."""
    kind, run = "", list[str]()
    for line in lines:
        if not line.strip():
            continue
        mark = _BULLET.match(line) or _NUMBER.match(line)
        begun = "p" if mark is None else "ul" if _BULLET.match(line) else "ol"
        words = line[mark.end() :].strip() if mark else line.strip()
        if kind in ("ul", "ol") and mark is None and line[:1].isspace():
            run[-1] += " " + words
        elif begun == kind:
            run.append(words)
        else:
            if run:
                yield kind, run
            kind, run = begun, [words]
    if run:
        yield kind, run
