"""How severe a finding is on a film, as its report says it; where nobody says, it is unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import TypeVar

from services.query.words import Polarity, understand

UNKNOWN = "unknown"
GRADES = ("small", "moderate", "large", UNKNOWN)
WORDS = {"small": "mild", "moderate": "moderate", "large": "severe", UNKNOWN: UNKNOWN}

T = TypeVar("T")


def in_turn(items: Sequence[T], grade: Callable[[T], str]) -> list[T]:
    """The first of each known grade, then the second of each; those of unknown grade last, in their order."""
    by_grade = {name: [item for item in items if grade(item) == name] for name in GRADES}
    rounds = zip_longest(*(by_grade[name] for name in GRADES if name != UNKNOWN))
    return [item for turn in rounds for item in turn if item is not None] + by_grade[UNKNOWN]


def graded(finding: str, report: Mapping[str, str]) -> tuple[str, str]:
    """The largest size that a report gives the finding (a key of GRADES), and what the report says of it: present,
    absent, uncertain or nothing. report: section → text; impressions count before findings."""
    said, sizes = "", []
    for section in sorted(report, key=lambda name: name != "impression"):
        for mention in understand(report[section]):
            if mention.finding != finding:
                continue
            if not said or mention.polarity is Polarity.PRESENT:
                said = mention.polarity.value
            if mention.polarity is Polarity.PRESENT and mention.severity in GRADES:
                sizes.append(mention.severity)
    return max(sizes, key=GRADES.index) if sizes else UNKNOWN, said
