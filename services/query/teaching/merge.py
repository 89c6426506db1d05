"""Two edits of one version made into one, where they do not overlap.

    merged = merge(base, mine, theirs)
    merged.document, merged.conflicts  # fields that both changed, each in its own way

Fields are compared one by one; pictures and sections by their keys, and field by field within; lists of lines
(keywords, references) line by line. Order is a change like any other: only one of the two may make it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from services.core.errors import HilumError
from services.query.teaching import document as documents
from services.query.teaching.document import Document, Picture, Section

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Merged:
    """document: both edits, where `conflicts` is empty; else mine, with theirs where only they changed."""

    document: Document
    conflicts: tuple[str, ...]


def merge(base: Document, mine: Document, theirs: Document) -> Merged:
    """Both edits of `base`. An edit that is made already is no conflict."""
    conflicts: list[str] = []
    found = _record(base, mine, theirs, "", conflicts)
    if not conflicts:
        try:
            found = documents.parse(documents.to_json(found))
        except HilumError:  # each is whole, and both together are not: a section that one removed and the other filled
            conflicts.append("sections")
    return Merged(found, tuple(dict.fromkeys(conflicts)))


def _record(base: Any, mine: Any, theirs: Any, place: str, conflicts: list[str]) -> Any:
    values = {}
    for one in dataclasses.fields(base):
        before, ours, other = (getattr(each, one.name) for each in (base, mine, theirs))
        values[one.name] = _value(before, ours, other, f"{place}.{one.name}" if place else one.name, conflicts)
    return replace(base, **values)


def _value(base: Any, mine: Any, theirs: Any, place: str, conflicts: list[str]) -> Any:
    if mine in (base, theirs):
        return theirs
    if theirs == base:
        return mine
    if isinstance(base, tuple) and all(_is_list(each, place) for each in (base, mine, theirs)):
        return _items(base, mine, theirs, place, conflicts)
    conflicts.append(place)
    return mine


def _is_list(items: tuple[Any, ...], place: str) -> bool:
    """Can it be told which entry is which? Annotations have no names: who edits them edits all of a picture's."""
    keys = list(map(_key, items))
    return not place.endswith("annotations") and len(set(keys)) == len(keys)


def _key(item: Any) -> Hashable:
    return item.key if isinstance(item, Picture | Section) else item


def _items(
    base: tuple[T, ...], mine: tuple[T, ...], theirs: tuple[T, ...], place: str, conflicts: list[str]
) -> tuple[T, ...]:
    was, ours, other = ({_key(item): item for item in items} for items in (base, mine, theirs))
    kept: dict[Hashable, T] = {}
    for key in dict.fromkeys((*was, *ours, *other)):
        before, one, two = was.get(key), ours.get(key), other.get(key)
        if one is not None and two is not None:
            if one == two or before is None:
                kept[key] = one
                if one != two:
                    conflicts.append(place)  # both added it, each in its own way
            else:
                kept[key] = _record(before, one, two, place, conflicts)
            continue
        present = one if one is not None else two
        if present is None:
            continue  # both took it out
        if before is None:
            kept[key] = present
        elif present != before:  # taken out by one, edited by the other
            conflicts.append(place)
            kept[key] = present
    order = _order(list(was), list(ours), list(other), set(kept), lambda: conflicts.append(f"{place}: their order"))
    return tuple(kept[key] for key in order)


def _order(
    base: Sequence[Hashable], mine: Sequence[Hashable], theirs: Sequence[Hashable], kept: set[Hashable],
    conflict: Callable[[], None],
) -> list[Hashable]:  # fmt: skip
    """The order of whoever changed it; what the other added stands behind what it stood behind there."""

    shared = kept.intersection(base, mine, theirs)
    before, ours, other = ([key for key in order if key in shared] for order in (base, mine, theirs))
    if ours not in (before, other) and other != before:
        conflict()
    leading, added = (mine, theirs) if ours not in (before, other) else (theirs, mine)
    order = [key for key in leading if key in kept]
    for place, key in enumerate(added):
        if key in kept and key not in order:
            behind = next((order.index(one) + 1 for one in reversed(added[:place]) if one in order), 0)
            order.insert(behind, key)
    return order
