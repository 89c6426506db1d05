"""What a sentence claims about a film, and whether a film agrees.

A *claim* is the smallest thing a radiology sentence says: a finding, perhaps its side and size, present or not. Texts
are trained and tested by their claims, so that a text matches every film it is true of, not only the one it was
written for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.phantom.truth import DEVICES, FINDINGS, SEEN, SEEN_ON_LATERAL, SIDED, SLOTS, SURE, PhantomFilm

Side = Literal["", "right", "left", "bilateral"]
Band = Literal["", "small", "moderate", "large"]
BANDS: tuple[tuple[Band, float, float], ...] = (("small", SURE, 0.45), ("moderate", 0.45, 0.7), ("large", 0.7, 1.01))

TRUE, FALSE, UNKNOWN = 1, 0, -1
_SLOT = {name: i for i, name in enumerate(SLOTS)}
_ANY_DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Claim:
    """``subject`` is a finding, a device, ``device`` (any), ``view`` or ``sex``; ``value`` serves the last two."""

    subject: str
    side: Side = ""
    band: Band = ""
    present: bool = True
    value: str = ""


@dataclass(frozen=True, slots=True)
class Truths:
    """The truth of N films as arrays: severities ``(N, len(SLOTS)) float32``, views and sexes ``(N,) str``."""

    severity: np.ndarray
    view: np.ndarray
    sex: np.ndarray

    @classmethod
    def of(cls, films: Sequence[PhantomFilm]) -> "Truths":
        severity = np.array([[getattr(f.findings, s) for s in SLOTS] for f in films], np.float32)
        return cls(severity, np.array([f.view for f in films]), np.array([f.sex for f in films]))

    def __getitem__(self, rows: np.ndarray) -> "Truths":
        return Truths(self.severity[rows], self.view[rows], self.sex[rows])


def band_of(severity: float) -> Band:
    """The word for a severity that is surely present."""
    return next(name for name, low, high in BANDS if severity < high)


def agreement(claim: Claim, truths: Truths) -> np.ndarray:
    """``(N,) int8``: TRUE, FALSE or UNKNOWN (equivocal, unseen on this view, or next door in size) per film."""
    if claim.subject in ("view", "sex"):
        held = getattr(truths, claim.subject)
        if claim.value == "FRONTAL":
            return (held != "LATERAL").astype(np.int8)
        return (held == claim.value).astype(np.int8)
    out = _side_agreement(claim, truths)
    lateral = truths.view == "LATERAL"
    if claim.side or claim.subject not in SEEN_ON_LATERAL:
        # No finding of that kind at all is known without seeing the film; anything else is not shown.
        out[lateral] = UNKNOWN
    if not claim.present:
        out = np.where(out == UNKNOWN, UNKNOWN, 1 - out).astype(np.int8)
    return out


def _side_agreement(claim: Claim, truths: Truths) -> np.ndarray:
    """Agreement as if the claim were positive and every film showed everything."""
    if claim.subject == _ANY_DEVICE:
        return (truths.severity[:, [_SLOT[d] for d in DEVICES]].max(1) > 0).astype(np.int8)
    if claim.subject not in SIDED:
        return _graded(truths.severity[:, _SLOT[claim.subject]], claim.band)
    right, left = (truths.severity[:, _SLOT[f"{claim.subject}_{side}"]] for side in ("right", "left"))
    if claim.side == "right":
        return _graded(right, claim.band)
    if claim.side == "left":
        return _graded(left, claim.band)
    either = _graded(np.maximum(right, left), claim.band)
    if claim.side == "bilateral":
        return _and(_and(_graded(right, ""), _graded(left, "")), either)
    return either


def _graded(severity: np.ndarray, band: Band) -> np.ndarray:
    """Presence, and the size where one is claimed: a neighbouring size is neither right nor wrong."""
    out = np.where(severity >= SURE, TRUE, np.where(severity >= SEEN, UNKNOWN, FALSE)).astype(np.int8)
    if band:
        low, high = next((low, high) for name, low, high in BANDS if name == band)
        off = np.maximum(low - severity, severity - high)
        sure = out == TRUE
        out[sure & (off > 0)] = UNKNOWN
        out[sure & (off > 0.15)] = FALSE
    return out


def _and(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Three-valued conjunction: FALSE wins over UNKNOWN, UNKNOWN over TRUE."""
    return np.where((a == FALSE) | (b == FALSE), FALSE, np.minimum(a, b)).astype(np.int8)


def all_hold(claims: Iterable[Claim], truths: Truths) -> np.ndarray:
    """``(N,) int8``: TRUE where every claim is, FALSE where any is FALSE, else UNKNOWN."""
    out = np.full(len(truths.view), TRUE, np.int8)
    for claim in claims:
        out = _and(out, agreement(claim, truths))
    return out


NO_FINDING = tuple(Claim(finding, present=False) for finding in FINDINGS)
