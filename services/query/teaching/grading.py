"""How severe a finding is on a film, as its report says it; where nobody says, it is unknown."""

from __future__ import annotations

from collections.abc import Mapping

from services.query.words import Polarity, understand

UNKNOWN = "unknown"
GRADES = ("small", "moderate", "large", UNKNOWN)
WORDS = {"small": "mild", "moderate": "moderate", "large": "severe", UNKNOWN: UNKNOWN}


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
