"""A sentence's pieces of one breath: what stands between its commas, joints, denials and doubts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.query.words.scan import Item, Kind

BREAKS = frozenset({
    Kind.COMMA, Kind.AND, Kind.OR, Kind.END, Kind.LINK, Kind.DENIED, Kind.DENIED_AFTER, Kind.DOUBTED,
    Kind.DOUBTED_AFTER, Kind.NO_DENIAL,
})  # fmt: skip
SAYS = frozenset({Kind.FINDING, Kind.VAGUE, Kind.NORMAL, Kind.HEALTHY})

# Words that name nothing by themselves, and places, which name nothing without a finding.
_EMPTY_WORDS = """
a an the of in on at to for from by is are was were be been being it its as this that these those there here any some
has have had do does did seen identified noted present demonstrated evident visualized visible found show shows showing
demonstrates film films image images radiograph radiographs x-ray xray case cases patient patients finding findings
evidence sign signs again also who whose having me find search give all only very now other i like looking look want
need get cxr cxrs chest view views s there's xxxx acute focal definite displaced new old active significant suspicious
otherwise true
"""
_PLACE_WORDS = """
lung lungs lobe lobes upper lower middle base bases zone side sided apex hemithorax field fields region area level
aspect portion
"""
_EMPTY, _PLACES = frozenset(_EMPTY_WORDS.split()), frozenset(_PLACE_WORDS.split())


def breaths(items: Sequence[Item]) -> Iterator[range]:
    """Places of each piece, empty words at its ends left out; pieces of empty words alone are none."""
    start = 0
    for at in range(len(items) + 1):
        if at == len(items) or items[at].kind in BREAKS:
            first, last = start, at
            while first < last and filler(items[first]):
                first += 1
            while first < last and filler(items[last - 1]):
                last -= 1
            if first < last:
                yield range(first, last)
            start = at + 1


def names_something(item: Item) -> bool:
    """Is it a word of its own, and not one of grammar, of side and size, or of a place?"""
    return item.kind is Kind.WORD and not filler(item) and item.text.lower() not in _PLACES


def filler(item: Item) -> bool:
    """Is it a word of grammar, or one that is in every search?"""
    text = item.text.lower()
    return item.kind is Kind.BEGIN or (item.kind is Kind.WORD and (text in _EMPTY or text.replace(".", "").isdigit()))
