"""Report text → its sections, by the headings that radiologists write in capitals.

What no heading claims is kept under ``report``; addenda are kept apart, so that a later correction is not lost in the
text it corrects.
"""

from __future__ import annotations

import re

_NAMES = {
    "findings": "findings", "finding": "findings", "findings and impression": "findings",
    "impression": "impression", "impressions": "impression", "conclusion": "impression", "conclusions": "impression",
    "summary": "impression", "opinion": "impression",
    "indication": "indication", "indications": "indication", "reason for exam": "indication",
    "reason for examination": "indication", "clinical indication": "indication", "clinical information": "indication",
    "history": "history", "clinical history": "history", "patient history": "history",
    "technique": "technique", "procedure": "technique",
    "comparison": "comparison", "comparisons": "comparison", "comparison studies": "comparison",
    "examination": "examination", "exam": "examination", "study": "examination", "type of examination": "examination",
    "recommendation": "recommendation", "recommendations": "recommendation",
    "notification": "notification", "wet read": "wet_read",
}  # fmt: skip
_HEADING = re.compile(r"^[ \t]*([A-Z][A-Za-z /&]{2,40}?)[ \t]*:", re.MULTILINE)
_ADDENDUM = re.compile(r"^[ \t]*(?:_{3,}[ \t]*\n[ \t]*)?ADDENDUM\b.*?(?=^[ \t]*_{10,}[ \t]*$|\Z)", re.M | re.S)
_RULE = re.compile(r"^[ \t]*_{10,}[ \t]*$", re.MULTILINE)


def split_report(text: str) -> dict[str, str]:
    """Section → text, in the report's order; repeated headings are joined. ``{}`` for a blank text."""
    found: dict[str, list[str]] = {}
    text = text.replace("\r\n", "\n")
    for addendum in _ADDENDUM.findall(text):
        found.setdefault("addendum", []).append(_RULE.sub("", addendum))
    body = _RULE.sub("", _ADDENDUM.sub("", text))
    headings = [(match, name) for match in _HEADING.finditer(body) if (name := _name(match[1]))]
    start = headings[0][0].start() if headings else len(body)
    before = re.sub(r"^\s*(FINAL|PRELIMINARY) REPORT\s*$", "", body[:start], flags=re.MULTILINE)
    found.setdefault("report", []).append(before)
    ends = [*(match.start() for match, _ in headings[1:]), len(body)]
    for (match, name), end in zip(headings, ends, strict=False):  # without headings there is one end and no section
        found.setdefault(name, []).append(body[match.end() : end])
    joined = {name: _tidy(" ".join(parts)) for name, parts in found.items()}
    return {name: words for name, words in joined.items() if words}


def _name(heading: str) -> str | None:
    """The section of a heading. Only words in capitals, or alone at a line's start as a known title, are headings."""
    known = _NAMES.get(re.sub(r"\s+", " ", heading.strip().lower()))
    return known if known and (heading.isupper() or heading.istitle()) else None


def _tidy(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
