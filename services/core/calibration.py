"""What a score means: P(shares the finding | score) as a rising curve with its interval."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

FILM, WORDS = "film", "words"  # what asked


@dataclass(frozen=True, slots=True)
class Curve:
    """scores: rising.  probability, low, high: at each score, rising; low and high are the 95 % interval.

    threshold: below it a film shares the finding no more surely than any film would, or is farther than 99 in 100 films
    have their nearest; infinite where no score tells anything.
    """

    scores: tuple[float, ...]
    probability: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    threshold: float = float("inf")

    def as_json(self) -> dict[str, object]:
        lines = {name: list(getattr(self, name)) for name in ("scores", "probability", "low", "high")}
        return {**lines, "threshold": None if self.threshold == float("inf") else self.threshold}

    @classmethod
    def of(cls, kept: Mapping[str, Sequence[float] | float | None]) -> Curve:
        """Read what `as_json` wrote."""
        lines = {name: tuple(kept[name]) for name in ("scores", "probability", "low", "high")}  # type: ignore[arg-type]
        threshold = kept.get("threshold")
        return cls(**lines, threshold=float("inf") if threshold is None else float(threshold))  # type: ignore[arg-type]


def probability(curve: Curve, score: float) -> tuple[float, float, float]:
    """P and the ends of its interval at a score: between two points of the curve in a straight line, flat beyond."""
    after = bisect_left(curve.scores, score)
    if after == 0:
        return curve.probability[0], curve.low[0], curve.high[0]
    if after == len(curve.scores):
        return curve.probability[-1], curve.low[-1], curve.high[-1]
    left, right = curve.scores[after - 1], curve.scores[after]
    share = (score - left) / (right - left)

    def between(line: Sequence[float]) -> float:
        return line[after - 1] + share * (line[after] - line[after - 1])

    return between(curve.probability), between(curve.low), between(curve.high)


def comparable(curve: Curve, score: float) -> bool:
    """Is a film with this score a case to compare with, or no nearer than any film?"""
    return score >= curve.threshold


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of one encoder. by: (asked_by, finding, view) → curve; finding "" is any that the asking film has,
    view "" is any."""

    by: Mapping[tuple[str, str, str], Curve]

    def __bool__(self) -> bool:
        return bool(self.by)

    def best(self, asked_by: str, finding: str = "", view: str = "") -> tuple[Curve, str] | None:
        """The narrowest curve there is and the finding it is for: of finding and view, of the finding in any view, of
        any finding in this view, of any. Words have no curve but for their finding."""
        for name, place in ((finding, view), (finding, ""), ("", view), ("", "")):
            curve = self.by.get((asked_by, name, place))
            if curve is not None:
                return curve, name
        return None

    def nothing_comparable(self, asked_by: str, scores: Iterable[float], finding: str = "", view: str = "") -> bool:
        """Is none of the answer's scores one to compare with? False where this encoder was not calibrated."""
        found = self.best(asked_by, finding, view)
        return found is not None and not any(comparable(found[0], score) for score in scores)
