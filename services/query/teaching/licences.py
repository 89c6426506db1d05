"""May a film be passed on? What its licence says, as far as the words of a licence can tell.

Only licences that are known to let films be passed on do; of all others the reason is said. It is no legal advice: who
has a right that the licence does not show (own films, a consent, an agreement) states it in words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPEN = re.compile(r"\bcc[ -]?0\b|public domain|no restrictions|\bpddl\b", re.IGNORECASE)
_CC = re.compile(r"\bcc[ -]by\b|creative commons attribution", re.IGNORECASE)
_NO_DERIVATIVES = re.compile(r"\bnd\b|no[ -]?deriv", re.IGNORECASE)
_NOT_COMMERCIAL = re.compile(r"\bnc\b|non[ -]?commercial", re.IGNORECASE)
_CLOSED = re.compile(
    r"credentialed|restricted|data use agreement|use agreement|research use|competition|\bdua\b|all rights reserved",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Terms:
    """shareable: the film may be passed on.  changeable: also changed, with marks drawn into it.  why: what stands
    against passing it on, in words that follow a film's name; empty where nothing does."""

    shareable: bool
    changeable: bool = True
    commercial: bool = True
    why: str = ""


def terms(licence: str | None) -> Terms:
    """What a licence lets one do, by its words (``CC BY-NC-ND 4.0``, ``PhysioNet Credentialed Health Data License``).

    Creative Commons' own terms: https://creativecommons.org/share-your-work/cclicenses/.
    """
    words = " ".join((licence or "").split())
    if not words:
        return Terms(False, why="nobody stated its licence")
    if _CLOSED.search(words):
        return Terms(False, why=f"its licence ({words}) forbids passing it on")
    if _CC.search(words):
        return Terms(True, not _NO_DERIVATIVES.search(words), not _NOT_COMMERCIAL.search(words))
    if _OPEN.search(words):
        return Terms(True)
    return Terms(False, why=f"its licence ({words}) is not known to allow passing it on")
