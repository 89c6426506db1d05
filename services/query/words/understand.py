"""A text → what it says: findings, there or not or in doubt, with side and size. Rules only; nothing is learned.

understand("small left effusion but no pneumothorax")
→ (Mention("pleural_effusion", "small left effusion", "present", "left", "small", (0, 19)),
   Mention("pneumothorax", "pneumothorax", "absent", "", "", (27, 39)))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.query.words.breaths import SAYS, breaths, filler, names_something
from services.query.words.modifiers import modifiers
from services.query.words.polarity import Polarity, polarities
from services.query.words.scan import Item, Kind, items, sentences


@dataclass(frozen=True, slots=True)
class Mention:
    """One thing a text says.

    finding: a key of labels; empty for words that the grammar knows nothing of.  words: as given.
    side: left, right, bilateral or empty.  severity: small, moderate, large or empty.
    span: ``[start, end)`` of `words` in the text.  sentence: which one says it, from 0.
    normal: it is said by what is well ("the heart is normal"), which denies the finding without naming it.
    """

    finding: str
    words: str
    polarity: Polarity
    side: str = ""
    severity: str = ""
    span: tuple[int, int] = (0, 0)
    sentence: int = 0
    normal: bool = False


def understand(text: str) -> tuple[Mention, ...]:
    """What a search text or a report says, in the order of its words. Never raises; an empty text says nothing."""
    return tuple(
        mention
        for number, (start, sentence) in enumerate(sentences(text))
        for mention in _mentions(number, start, sentence)
    )


def _mentions(number: int, offset: int, sentence: str) -> Iterator[Mention]:
    found = items(sentence)
    pieces = [(piece, places) for piece in breaths(found) if (places := _places(found, piece))]
    says = {at for _, places in pieces for at in places}
    said, own = polarities(found, says, sentence.rstrip().endswith(".")), modifiers(found)
    for piece, places in pieces:
        for at, (start, end) in zip(places, _spans(found, piece, places), strict=True):
            words, span, item = sentence[start:end], (offset + start, offset + end), found[at]
            normal = item.kind in (Kind.NORMAL, Kind.HEALTHY)
            for finding in item.names if at in own else ("",):
                side, size = (own[at].side, own[at].size) if at in own else ("", "")
                yield Mention(finding, words, said[at], side, size, span, number, normal)


def _places(found: Sequence[Item], piece: range) -> list[int]:
    """Where a piece names findings; where it only has words that name nothing known, the first of these."""
    known = [at for at in piece if found[at].kind in SAYS]
    return known or [at for at in piece if names_something(found[at])][:1]


def _spans(found: Sequence[Item], piece: range, places: Sequence[int]) -> list[tuple[int, int]]:
    """Where the words of each finding of a piece begin and end; they share the piece between them."""
    if len(places) <= 1:
        return [(found[piece.start].start, found[piece.stop - 1].end)]
    spans, start = [], piece.start
    for at in places:
        while filler(found[start]):
            start += 1
        spans.append((found[start].start, found[at].end))
        start = at + 1
    return spans
