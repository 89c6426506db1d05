"""Sides and sizes of a sentence's findings.

Words of side and size belong to the finding they stand before, in one breath ("small left effusion"); behind it they
belong to it as well ("effusion on the left", "effusion, large"). A side behind a list holds for all of it that can have
one, and so does one that opens the sentence ("on the left there is ..."). Other names for one thing share its side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from services.query.words import lexicon
from services.query.words.breaths import SAYS
from services.query.words.scan import Item, Kind
from services.query.words.scan import items as scanned

_BREAKS = frozenset({Kind.COMMA, Kind.AND, Kind.OR, Kind.END, Kind.DENIED_AFTER, Kind.DOUBTED_AFTER})
_WORDLESS = frozenset({Kind.SIDE, Kind.SIZE, Kind.WORD})


@dataclass
class Modifiers:
    """What is said of one finding besides its polarity; empty strings where nothing is."""

    sides: set[str] = field(default_factory=set)
    size: str = ""

    @property
    def side(self) -> str:
        return "bilateral" if len(self.sides) > 1 else next(iter(self.sides), "")

    def take(self, item: Item, overwrite: bool = True) -> None:
        if item.kind is Kind.SIDE:
            self.sides |= set(item.names)
        elif item.kind is Kind.SIZE and (overwrite or not self.size):
            self.size = item.names[0]


def modifiers(items: Sequence[Item]) -> dict[int, Modifiers]:
    """Place of each finding among `items` → its side and size."""
    found = {at: _inside(item) for at, item in enumerate(items) if item.kind in SAYS}
    places = list(found)
    for at, item in enumerate(items):
        if item.kind in (Kind.SIDE, Kind.SIZE) and places:
            owner, behind = _owner(items, at, places)
            found[owner].take(item, overwrite=not behind)
            if behind and item.kind is Kind.SIDE:
                _share_back(items, owner, found)
    _share_topic(items, found)
    _share_names(items, found)
    return found


def _inside(item: Item) -> Modifiers:
    """Words of side and size within the phrase itself, but for its first: "big heart" is a name, not a size."""
    own = Modifiers()
    for word in item.text.replace("-", " ").split()[1:]:
        for part in scanned(word):
            own.take(part)
    return own


def _owner(items: Sequence[Item], at: int, places: Sequence[int]) -> tuple[int, bool]:
    """The place of the finding that the word at `at` speaks of, and whether it stands behind it."""
    before = max((place for place in places if place < at), default=None)
    after = min((place for place in places if place > at), default=None)
    if before is None or after is None:
        return (after, False) if before is None else (before, True)  # type: ignore[return-value]
    if not any(item.kind in _BREAKS for item in items[at:after]):  # in one breath with the next
        return (before, True) if _trails(items, at, before) and _prepositions(items, at, before) else (after, False)
    if _alone(items, at, before) or not any(item.kind in _BREAKS for item in items[before:at]):
        return before, True
    return after, False


def _trails(items: Sequence[Item], at: int, before: int) -> bool:
    return not any(item.kind in _BREAKS for item in items[before:at])


def _prepositions(items: Sequence[Item], at: int, before: int) -> bool:
    """ "effusion in the left chest …": something between says that it goes on about the finding before."""
    between = " ".join(item.text.lower() for item in items[before + 1 : at + 1])
    return bool({"in", "on", "at", "of", "within", "along", "over", "throughout"} & set(between.split()))


def _alone(items: Sequence[Item], at: int, before: int) -> bool:
    """ ", large," behind a finding: its own comma-separated piece, with nothing else in it."""
    start = max(place for place in range(before, at + 1) if place == before or items[place].kind in _BREAKS)
    stop = next((place for place in range(at, len(items)) if items[place].kind in _BREAKS), len(items))
    piece = items[start + 1 : stop]
    return items[start].kind is Kind.COMMA and all(item.kind in _WORDLESS for item in piece)


def _can_have_a_side(item: Item) -> bool:
    return not set(item.names) & lexicon.MIDLINE


def _share_back(items: Sequence[Item], owner: int, found: dict[int, Modifiers]) -> None:
    """A side behind the last of a list is that of the whole list."""
    for place in range(owner - 1, -1, -1):
        item = items[place]
        if item.kind in SAYS:
            if found[place].sides:
                return
            if _can_have_a_side(item):
                found[place].sides |= found[owner].sides
        elif item.kind not in (Kind.AND, Kind.OR, Kind.SIZE, Kind.WORD):
            return


def _share_topic(items: Sequence[Item], found: dict[int, Modifiers]) -> None:
    """ "on the left there is an effusion and a nodule"; "left lung: …"."""
    first = min(found, default=0)
    side = next((at for at in range(first) if items[at].kind is Kind.SIDE), None)
    if side is None or not any(
        item.kind in (Kind.BEGIN, Kind.COMMA, Kind.END) and item.text.lower() not in ("the", "a", "an")
        for item in items[side + 1 : first]
    ):
        return
    for place, own in found.items():
        if not own.sides and _can_have_a_side(items[place]):
            own.sides |= set(items[side].names)


def _share_names(items: Sequence[Item], found: dict[int, Modifiers]) -> None:
    """ "right basal atelectasis or infiltrate": one place, two names."""
    places = list(found)
    for one, other in pairwise(places):
        alike = [item.kind for item in items[one + 1 : other]] in ([Kind.OR], [Kind.DOUBTED])
        if alike and not found[other].sides and _can_have_a_side(items[other]):
            found[other].sides |= found[one].sides
