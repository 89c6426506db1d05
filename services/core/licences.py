"""May films be handed on? What their datasets' licences say, as far as their names tell.

A licence is read by its name alone, and only well-known names are known: what is not recognised is not taken for
permission. Nothing here is legal advice; who has a right that no licence shows (own films, a consent, an agreement)
states it in words.
"""

from __future__ import annotations

import re
from enum import StrEnum


class HandingOn(StrEnum):
    """Whether copies of films may be given to others."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    UNREAD = "not recognised"
    UNSTATED = "not stated"


# Each user signs, and no other may be given the films: PhysioNet's credentialed and restricted licences (sections 3 and
# 4), the research use agreements of Stanford and PadChest, data use agreements, rules of competitions.
_FORBIDS = re.compile(
    r"credentialed|restricted health data|\buse agreement|\bdata use\b|\bdua\b|competition (terms|rules)|"
    r"all rights reserved|proprietary|confidential|internal use|"
    r"(not|no|without|never)\b.{0,20}\b(redistribut|distribut|sharing|share\b|hand(ed|ing)? on)",
    re.IGNORECASE,
)
_ALLOWS = re.compile(
    r"cc[\s-]?0|cc[\s-]by|creative commons|public domain|pddl|odc[\s-]by|odbl|open data commons|apache|mit\b|bsd|"
    r"(nih[^:]{0,30}: )?no restrictions",
    re.IGNORECASE,
)


def handing_on(licence: str | None) -> HandingOn:
    """What a licence, as a dataset's films state it, says of giving copies away."""
    text = " ".join((licence or "").split())
    if not text:
        return HandingOn.UNSTATED
    if _FORBIDS.search(text):
        return HandingOn.FORBIDDEN
    return HandingOn.ALLOWED if _ALLOWS.match(text) else HandingOn.UNREAD


def remark(licence: str | None) -> str:
    """What else those who get the films must keep to: attribution, no trade, no changes."""
    parts = set(re.split(r"[\s-]+", (licence or "").lower()))
    if not {"cc", "by"} <= parts:
        return ""
    told = ["attribution"]
    told += ["not for commercial use"] if "nc" in parts else []
    told += ["no derivatives: only unaltered copies may be shared"] if "nd" in parts else []
    told += ["share alike"] if "sa" in parts else []
    return ", ".join(told)
