"""Which findings of a sentence are there, are not there, or are in doubt: one pass over its phrases.

A denial reaches forward over lists ("no A, B or C") until something turns ("but", "with", a clause of its own) and,
where it stands behind ("A is not seen"), back over its list. Two denials undo each other ("not without"). At a comma
alone it ends in a search ("no edema, nodule" are two things to look for), and goes on in a sentence with a full stop.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from enum import StrEnum

from services.query.words.breaths import SAYS
from services.query.words.scan import Item, Kind

_JOINS = frozenset({Kind.COMMA, Kind.AND, Kind.OR})
_OWN = frozenset(
    {Kind.BEGIN, Kind.SIZE, Kind.SIDE, Kind.DENIED, Kind.DOUBTED, Kind.NO_DENIAL, Kind.NORMAL, Kind.HEALTHY}
)
_TURNS = frozenset({Kind.END, Kind.DENIED, Kind.NO_DENIAL, Kind.DENIED_AFTER, Kind.DOUBTED_AFTER, Kind.BEGIN})
_REACH = 60  # phrases
_VERB = re.compile(r"\b(is|are|appears?|remains?|was|were)\b", re.IGNORECASE)
_OPENS = re.compile(r"^(no|without)\b|\bclear of$", re.IGNORECASE)


class Polarity(StrEnum):
    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"


def polarities(items: Sequence[Item], says: Set[int], written: bool = False) -> dict[int, Polarity]:
    """Place among `items` → what is said of it, for each of the places that name something.

    written: the sentence ends with a stop, as sentences of reports do.
    """
    said: dict[int, Polarity] = {}
    denials, doubt, fresh = 0, False, False  # fresh: a denial of which nothing is said yet
    for at, item in enumerate(items):
        kind = _kind(items, at, says)
        if kind is Kind.DENIED:
            denials, doubt, fresh = (denials + 1, doubt, True) if fresh else (1, False, True)
        elif kind is Kind.DOUBTED:
            doubt = True
        elif kind in (Kind.NO_DENIAL, Kind.END):
            denials, doubt, fresh = 0, False, False
        elif kind in _JOINS:
            fresh = False
            if not _goes_on(items, at, says, written):
                denials, doubt = 0, False
        elif kind in (Kind.DENIED_AFTER, Kind.DOUBTED_AFTER):
            for before in _list_before(items, at, says):
                said[before] = _undone(said[before]) if kind is Kind.DENIED_AFTER else Polarity.UNCERTAIN
            denials, doubt, fresh = 0, False, False
        elif at in says:
            said[at] = _said(kind, denials, doubt)
            fresh = False
            if _OPENS.search(item.text):
                denials = 1
    return said


def _said(kind: Kind, denials: int, doubt: bool) -> Polarity:
    if denials % 2 == 0 and (doubt or kind is Kind.VAGUE):
        return Polarity.UNCERTAIN
    return Polarity.PRESENT if (denials % 2 == 0) != (kind is Kind.NORMAL) else Polarity.ABSENT


def _undone(polarity: Polarity) -> Polarity:
    """A denial behind: of what was denied already, it says that it is there."""
    return Polarity.PRESENT if polarity is Polarity.ABSENT else Polarity.ABSENT


def _kind(items: Sequence[Item], at: int, says: Set[int]) -> Kind:
    """What a phrase is that can stand on either side: behind a finding it speaks of that one."""
    item = items[at]
    both = {item.kind, *item.also}
    for ahead, behind in ((Kind.DENIED, Kind.DENIED_AFTER), (Kind.DOUBTED, Kind.DOUBTED_AFTER)):
        if ahead in both and behind in both:
            return behind if _finding_before(items, at, says) else ahead
    if item.kind in (Kind.DENIED_AFTER, Kind.DOUBTED_AFTER) and not _finding_before(items, at, says):
        return Kind.DENIED if item.kind is Kind.DENIED_AFTER else Kind.DOUBTED
    return item.kind


def _finding_before(items: Sequence[Item], at: int, says: Set[int]) -> bool:
    only_modifiers = True  # since the finding: ", right, is not seen" still speaks of it
    for place in _back(at):
        item = items[place]
        if place in says:
            return True
        if item.kind is Kind.COMMA and only_modifiers:
            continue
        only_modifiers = only_modifiers and item.kind in (Kind.SIDE, Kind.SIZE)
        if item.kind in _JOINS or item.kind in (Kind.END, Kind.DENIED, Kind.DOUBTED):
            return False
    return False


def _goes_on(items: Sequence[Item], at: int, says: Set[int], written: bool) -> bool:
    """Does what was said before a comma, *and* or *or* hold after it too?"""
    joint, after = items[at].kind, items[at + 1 : at + _REACH]
    if not after:
        return False
    if joint is Kind.OR or (joint is Kind.COMMA and after[0].kind in (Kind.OR, Kind.AND)):
        return True
    if joint is Kind.AND:
        return after[0].kind not in _OWN and not _clause(after[0])
    return not any(place in says for place in range(_cue_before(items, at), at)) or _listed(after, written)


def _cue_before(items: Sequence[Item], at: int) -> int:
    cues = (Kind.DENIED, Kind.DOUBTED, Kind.END)
    return next((place for place in _back(at) if items[place].kind in cues), max(at - _REACH, 0))


def _listed(after: Sequence[Item], written: bool) -> bool:
    """After a comma: more of a list that *or* closes; *and* or a full stop do if nothing in it has words of its own."""
    own = False
    for item in after:
        if item.kind in _TURNS or _clause(item):
            return False
        own = own or item.kind in (Kind.SIZE, Kind.SIDE, Kind.DOUBTED)
        if item.kind is Kind.OR:
            return True
        if item.kind is Kind.AND:
            return not own
    return written and not own


def _back(at: int) -> range:
    """The places before, nearest first, as far as a sentence goes on about one thing."""
    return range(at - 1, max(at - _REACH, 0) - 1, -1)


def _clause(item: Item) -> bool:
    """Does it have a verb, as "heart is enlarged"?"""
    return item.kind in SAYS and bool(_VERB.search(item.text))


def _list_before(items: Sequence[Item], at: int, says: Set[int]) -> list[int]:
    """Places of the findings that a phrase behind them speaks of."""
    found: list[int] = []
    joined = False  # by *and* or *or*: then a comma before it belongs to the list
    for place in _back(at):
        item = items[place]
        if place in says:
            found.append(place)
        elif item.kind in (Kind.OR, Kind.AND) and found:
            joined = True
        elif item.kind is Kind.COMMA and found and joined:
            continue
        elif found and item.kind in (*_TURNS, Kind.DOUBTED, Kind.COMMA):
            break
    return found
