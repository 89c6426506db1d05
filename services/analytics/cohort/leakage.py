"""What two parts of a split share that they must not: patients, studies, files, pixels, films that look or embed alike,
and what only looks like it: the same report, the same day and body.

    found = audit(part, names, ways); found.must_hold()
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics.cohort.links import Codes
from services.core.errors import ErrorCode, HilumError

Print = tuple[bytes, int]  # of a report: a hash of its words, and how many they are

_EXAMPLES = 20
_WORDS, _FEW = 40, 3  # a report so long that so few patients have is no phrase of the trade
REPORT, PHRASE, DAY = "long report", "report", "day, age, sex and device"
CAUTIONS = {
    PHRASE: "short or common texts: many films are normal in the same words",
    DAY: "one examination under two names, or chance",
}


@dataclass(frozen=True)
class Shared:
    """One way to belong together. looked: films of which it is known (0: nothing was looked at); groups: that have
    films in several parts; films: of these; between: (part, part) → groups in both; examples: rows of some of them, a
    list for each group."""

    kind: str
    looked: int
    groups: int
    films: int
    between: dict[tuple[str, str], int]
    examples: list[list[int]]

    @property
    def leaks(self) -> bool:
        """Must not be; else it is told, and to be looked at."""
        return bool(self.groups) and self.kind not in CAUTIONS


class LeakError(HilumError):
    """Two parts share what they must not."""

    def __init__(self, code: ErrorCode, client_message: str, found: Audit | None = None) -> None:
        super().__init__(code, client_message)
        self.found = found


@dataclass(frozen=True)
class Audit:
    """Every way that was looked at, in their order. theirs: the same of the split that the datasets came with, where
    films have one."""

    shared: list[Shared]
    theirs: Audit | None = None

    @property
    def leaks(self) -> list[Shared]:
        return [one for one in self.shared if one.leaks]

    def must_hold(self) -> None:
        """Raises `LeakError` with all counts where any part shares anything with another."""
        if self.leaks:
            told = "; ".join(f"{one.kind}: {one.groups:,} shared, {one.films:,} films" for one in self.leaks)
            raise LeakError(
                ErrorCode.FAILED_PRECONDITION, f"the split leaks. {told}. Split again by what is shared", self
            )

    def as_json(self) -> list[dict[str, Any]]:
        """The figures, as plain JSON."""
        return [
            {"kind": one.kind, "looked": one.looked, "groups": one.groups, "films": one.films, "leaks": one.leaks,
             "between": [{"parts": list(parts), "groups": count} for parts, count in one.between.items()]}
            for one in self.shared
        ]  # fmt: skip


def audit(
    part: NDArray[np.int8], names: Sequence[str], ways: Mapping[str, Codes], looked: Mapping[str, int] | None = None
) -> Audit:
    """part: (N,) position in `names`, −1 for films of no part.  ways: kind → (N,) numbers of what belongs together, −1
    for none (`links`, `reports`, `days`).  looked: kind → films that could be compared, where −1 does not say that."""
    told = looked or {}
    return Audit([
        _shared(kind, part, names, codes, told.get(kind, int((codes >= 0).sum()))) for kind, codes in ways.items()
    ])  # fmt: skip


def _shared(kind: str, part: NDArray[np.int8], names: Sequence[str], codes: Codes, looked: int) -> Shared:
    rows = np.flatnonzero((codes >= 0) & (part >= 0))
    groups, mine = np.unique(codes[rows], return_inverse=True)
    has = np.zeros((len(groups), len(names)), bool)
    has[mine, part[rows]] = True
    several = has.sum(axis=1) > 1
    between = {(names[a], names[b]): int((has[:, a] & has[:, b]).sum()) for a, b in combinations(range(len(names)), 2)}
    examples = [rows[mine == group].tolist()[:4] for group in np.flatnonzero(several)[:_EXAMPLES]]
    return Shared(kind, looked, int(several.sum()), int(several[mine].sum()), between, examples)


def fingerprint(text: str, before: Print | None = None) -> Print:
    """What tells a report, but for case, space and punctuation; section by section, each after those before."""
    words = "".join(c if c.isalnum() else " " for c in text.casefold()).split()
    start = before[0] if before else b""
    digest = hashlib.blake2b(start + " ".join(words).encode(), digest_size=16).digest() if words else start
    return digest, len(words) + (before[1] if before else 0)


def reports(prints: Sequence[Print | None], patients: NDArray[np.int32]) -> dict[str, Codes]:
    """Films with the same report: long ones that few patients have, and others. prints: of each film's study."""
    number: dict[bytes, int] = {}
    codes = np.array([number.setdefault(p[0], len(number)) if p and p[1] else -1 for p in prints], np.int64)
    words = np.array([p[1] if p else 0 for p in prints], np.int64)
    if not number:
        return {REPORT: codes, PHRASE: codes}
    told = codes >= 0
    pairs = np.unique(np.stack([codes[told], patients[told].astype(np.int64)]), axis=1)
    rare = np.bincount(pairs[0], minlength=len(number))[codes] <= _FEW
    own = told & rare & (words >= _WORDS)
    return {REPORT: np.where(own, codes, -1), PHRASE: np.where(told & ~own, codes, -1)}


def days(columns: Sequence[Codes], patients: NDArray[np.int32]) -> dict[str, Codes]:
    """Films of several patients that agree in all of `columns` (dataset, study date, age, sex, device), each (N,), −1
    unknown; films with anything unknown agree with none."""
    known = np.all([codes >= 0 for codes in columns], axis=0)
    code = np.zeros(len(patients), np.int64)
    for codes in columns:
        code = np.unique(code * (int(codes.max(initial=0)) + 1) + np.maximum(codes, 0), return_inverse=True)[1]
    code = np.where(known, code, -1)
    pairs = np.unique(np.stack([code[known], patients[known].astype(np.int64)]), axis=1)
    several = np.bincount(pairs[0], minlength=int(code.max(initial=0)) + 1) > 1
    return {DAY: np.where(known & several[code], code, -1)}
