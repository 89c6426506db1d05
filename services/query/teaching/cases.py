"""Chosen films written up: one teaching file with a section per group, or one file per case. Drafts for an author."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from services.core.labels import Box
from services.core.types import ImageRecord
from services.query.search.modes import NO_FINDING
from services.query.teaching import document as documents
from services.query.teaching.chosen import Chosen, Group, conditions
from services.query.teaching.document import LINE, MOST_MARKS, Document
from services.query.teaching.grading import WORDS
from services.query.teaching.wanted import CASES, Wanted, named

_SEX = {"M": "male", "F": "female", "O": "of another sex"}
_ABOUT = {
    Group.INDEX: "The film that was asked with.",
    Group.TYPICAL: "Nearest to the middle of the films that have it, the mildest first.",
    Group.ATYPICAL: "Farthest from the middle of the films that have it, the mildest first.",
    Group.LOOKALIKES: "Near the cases in the models' eyes, stated not to have it, and stated to have something else.",
    Group.NORMALS: "Stated to be without a finding; of the same views, sex and bands of age as the cases.",
}


def write(wanted: Wanted, groups: Mapping[Group, Sequence[Chosen]], notes: Sequence[str]) -> Iterator[Document]:
    """Documents that can be kept as they are."""
    subject = named(wanted.finding) if wanted.finding else "Cases like the one asked for"
    others = _differential(wanted.finding, groups)
    about = {
        "diagnosis": subject if wanted.finding else "", "modality": "Radiography", "anatomy": "Chest",
        "organ_system": "Respiratory system", "category": "Chest imaging",
        "origin": "\n".join(("Assembled from the archive.", *notes)),
    }  # fmt: skip
    ordered = [(group, one) for group in Group for one in groups.get(group, ())]
    if wanted.layout == CASES:
        for number, (group, one) in enumerate(ordered, 1):
            yield _case(number, group, one, wanted, about, others)
        return
    kinds = [group.words for group in Group if groups.get(group) and group is not Group.INDEX]
    yield documents.parse({
        **about,
        "title": wanted.title or f"{subject}: {', '.join(kinds)}"[:LINE],
        "alternative_title": "Chest films for discussion",
        "differential": others,
        "keywords": [subject] if wanted.finding else [],
        "sections": [
            {"key": group.value, "heading": group.words.capitalize(), "text": _ABOUT[group]}
            for group in Group if groups.get(group)
        ],
        "images": [
            {**_image(one, group), "section": group.value, "caption": f"{facts(one.record)}. {_present(one.record)}"}
            for group, one in ordered
        ],
    })  # fmt: skip


def _case(
    number: int, group: Group, one: Chosen, wanted: Wanted, about: Mapping[str, object], others: Sequence[str]
) -> Document:
    theirs = _names(one.record)
    own = [named(wanted.finding)] if wanted.finding else theirs
    if group is Group.LOOKALIKES:
        own = theirs
    elif group is Group.NORMALS:
        own = ["No abnormal finding"]
    choices = [named(wanted.finding), *others] if wanted.finding else others
    told = f"{', '.join(own) or 'Case'} ({group.words.removesuffix('s')})"
    return documents.parse({
        **about,
        "title": f"{wanted.title or told} · case {number}"[:LINE],
        "alternative_title": f"Unknown chest film {number}",
        "history": f"{facts(one.record)}.",
        "diagnosis": "; ".join(own),
        "differential": [name for name in choices if name not in own],
        "findings": _present(one.record),
        "keywords": theirs,
        "images": [_image(one, group)],
    })  # fmt: skip


def _image(one: Chosen, group: Group) -> dict[str, object]:
    record = one.record
    found: dict[str, object] = {
        "image_id": record.image_id,
        "key_note": group.words.removesuffix("s").capitalize(),
        "why": one.why,
        "severity": WORDS[one.severity] if group in (Group.INDEX, Group.TYPICAL, Group.ATYPICAL) else "",
    }
    if record.rows and record.columns:
        found["annotations"] = [_mark(record, box) for box in record.boxes[:MOST_MARKS]]
    return found


def _mark(record: ImageRecord, box: Box) -> dict[str, object]:
    """A box that somebody stated, as a rectangle on the film."""

    def inside(value: float, size: int) -> float:
        return round(min(1.0, max(0.0, value / size)), 4)

    corners = ((box.x, box.y), (box.x + box.width, box.y + box.height))
    points = [{"x": inside(x, record.columns), "y": inside(y, record.rows)} for x, y in corners]
    return {"kind": "rectangle", "points": points, "text": named(box.name)[:LINE]}


def facts(record: ImageRecord) -> str:
    """View, sex and age: ``PA film, female, 64 years``."""
    told = [f"{record.view.replace('LATERAL', 'lateral')} film" if record.view else "Film"]
    told += [_SEX[record.sex]] if record.sex in _SEX else []
    told += [f"{record.age:.0f}{' or more' if record.age >= 90 else ''} years"] if record.age is not None else []
    return ", ".join(told)[0].upper() + ", ".join(told)[1:]


def _present(record: ImageRecord) -> str:
    if stated := _names(record):
        return f"Stated: {', '.join(stated).lower()}."
    normal = any(label.name == NO_FINDING and label.state == "present" for label in record.labels)
    return "Stated: no finding." if normal else "Nothing is stated of it."


def _differential(finding: str, groups: Mapping[Group, Sequence[Chosen]]) -> list[str]:
    """What the look-alikes have instead."""
    found = [name for one in groups.get(Group.LOOKALIKES, ()) for name in _names(one.record)]
    return [name for name in dict.fromkeys(found) if name != named(finding)]


def _names(record: ImageRecord) -> list[str]:
    """Findings stated to be present; a side's own label adds nothing to the finding's."""
    found = conditions(record)
    sided = {name for name in found if name.removesuffix("_left").removesuffix("_right") in found - {name}}
    return [named(name) for name in sorted(found - sided)]
