"""Where the phrases of the lexicon stand in a sentence.

A phrase is a small pattern: a space is a gap (blanks or a hyphen), ``~`` any ending, ``...`` up to three words other
than those that deny, join or turn; the rest is a regular expression. At every place the longest phrase counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from services.query.words import cues, lexicon

_WORDS_BETWEEN = r"(?:(?!(?:no|not|nor|and|or|but|with|without|which|otherwise|for)\b)[\w'/]+[\s-]+){0,3}?"
_STOP = re.compile(r"(?<=[.;!])\s+|(?<=\?)\s+(?=[A-Z])|\n+|;|(?<=[a-z])\.(?=[A-Z][a-z])")
_SHORT = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|vs|approx|cf|e\.g|i\.e|No)\.\s*$")


class Kind(StrEnum):
    """What a phrase does in a sentence."""

    FINDING = "finding"
    VAGUE = "vague"
    NORMAL = "normal"
    HEALTHY = "healthy"
    NO_DENIAL = "no denial"
    LINK = "link"
    DENIED = "denied"
    DENIED_AFTER = "denied after"
    DOUBTED = "doubted"
    DOUBTED_AFTER = "doubted after"
    SIDE = "side"
    SIZE = "size"
    END = "end"
    BEGIN = "begin"
    COMMA = "comma"
    AND = "and"
    OR = "or"
    WORD = "word"  # any other


@dataclass(frozen=True, slots=True)
class Item:
    """A phrase at ``[start, end)`` of the sentence. names: findings, a side or a size. also: what else it may be."""

    kind: Kind
    start: int
    end: int
    text: str
    names: tuple[str, ...] = ()
    also: frozenset[Kind] = frozenset()


def pattern(phrase: str) -> str:
    """The phrase as a regular expression."""
    gapped = phrase.replace("~", r"[a-z]*").replace(" ... ", r" \0").replace(" ", r"[\s-]+")
    return rf"(?<![\w]){_grouped(gapped)}(?![\w])".replace(r"\0", _WORDS_BETWEEN)


def _grouped(phrase: str) -> str:
    return "(?:" + phrase.replace("(?", "\0").replace("(", "(?:").replace("\0", "(?") + ")"


def _all() -> Iterator[tuple[Kind, tuple[str, ...], Iterable[str]]]:
    for finding, phrases in lexicon.FINDINGS.items():
        yield Kind.FINDING, (finding,), phrases
    for finding, phrases in lexicon.VAGUE.items():
        yield Kind.VAGUE, (finding,), phrases
    for findings, phrases in lexicon.NORMAL.items():
        yield Kind.NORMAL, findings, phrases
    yield Kind.HEALTHY, ("no_finding",), lexicon.HEALTHY
    yield Kind.NO_DENIAL, (), cues.NO_DENIAL
    yield Kind.LINK, (), cues.LINK
    yield Kind.DENIED, (), cues.DENIED
    yield Kind.DENIED_AFTER, (), cues.DENIED_AFTER
    yield Kind.DOUBTED, (), cues.DOUBTED
    yield Kind.DOUBTED_AFTER, (), cues.DOUBTED_AFTER
    for side, phrases in cues.SIDES.items():
        yield Kind.SIDE, (side,), phrases
    for size, phrases in cues.SIZES.items():
        yield Kind.SIZE, (size,), phrases
    yield Kind.END, (), cues.END
    yield Kind.BEGIN, (), cues.BEGIN
    yield Kind.AND, (), ("and", "&", r"\+", "plus")
    yield Kind.OR, (), ("or", "and/or", "/")


_PHRASES = [
    (kind, names, re.compile(pattern(phrase), re.IGNORECASE)) for kind, names, phrases in _all() for phrase in phrases
]
_COMMA = re.compile(r"[,:()]|\s-+\s")
_ANY_WORD = re.compile(r"[\w'-]+")
_QUESTION = re.compile(r"\?")
_INITIAL = re.compile(r"\b[LR]\b(?!\.)")


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """(where it starts, the sentence) in order; titles, abbreviations and decimals end none."""
    start = 0
    for stop in _STOP.finditer(text):
        if _SHORT.search(text, start, stop.start()):
            continue
        if text[start : stop.start()].strip():
            yield start, text[start : stop.start()]
        start = stop.end()
    if text[start:].strip():
        yield start, text[start:]


def _everywhere(phrase: re.Pattern[str], sentence: str) -> Iterator[re.Match[str]]:
    """All matches, those that begin within another one too."""
    match = phrase.search(sentence)
    while match:
        yield match
        match = phrase.search(sentence, match.start() + 1)


def _both(one: Item, other: Item) -> Item:
    """Two readings of the same words: a hydropneumothorax is two findings, "resolved" denies on either side."""
    if one.kind is not other.kind:
        return replace(one, also=one.also | {other.kind})
    return replace(one, names=tuple(dict.fromkeys((*one.names, *other.names)))) if one.kind is Kind.FINDING else one


@lru_cache(maxsize=4096)
def items(sentence: str) -> tuple[Item, ...]:
    """The sentence's phrases, commas and other words, in order and without overlap."""
    found = [
        Item(kind, match.start(), match.end(), match[0], names)
        for kind, names, phrase in _PHRASES
        for match in _everywhere(phrase, sentence)
    ]
    found += [Item(Kind.COMMA, m.start(), m.end(), m[0]) for m in _COMMA.finditer(sentence)]
    found += [
        Item(Kind.SIDE, m.start(), m.end(), m[0], ({"L": "left", "R": "right"}[m[0]],))
        for m in _INITIAL.finditer(sentence)
    ]
    found += [
        Item(Kind.DOUBTED, m.start(), m.end(), "?", also=frozenset({Kind.DOUBTED_AFTER}))
        for m in _QUESTION.finditer(sentence)
    ]
    found += [Item(Kind.WORD, m.start(), m.end(), m[0]) for m in _ANY_WORD.finditer(sentence)]
    order = list(Kind)
    found.sort(key=lambda item: (item.start, -item.end, order.index(item.kind)))
    kept: list[Item] = []
    for item in found:
        if kept and (item.start, item.end) == (kept[-1].start, kept[-1].end):
            kept[-1] = _both(kept[-1], item)
        elif not kept or item.start >= kept[-1].end:
            kept.append(item)
    return tuple(kept)
