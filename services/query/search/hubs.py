"""Hubs: films that are near everything push themselves into every answer. Their crowding is measured beforehand."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from services.core import hubs
from services.core.facts import Facts, densities
from services.core.facts.densities import Density
from services.core.store import Scored
from services.query.asked import Hubs

# Seconds that the mean over an archive is taken for its present one; and where none was measured, that it is for that.
_FRESH, _NONE_YET = 30.0, 1.0


class Crowding:
    """How much more often a film is a neighbour than the mean film. Safe to share between threads."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._means: dict[str, tuple[float, float]] = {}  # fingerprint → when it was read, mean occurrences

    def of(self, fingerprint: str, ids: Collection[str]) -> dict[str, float]:
        """image_id → its occurrences over the mean, for films that were measured."""
        if not (mean := self._mean(fingerprint)):
            return {}
        found = densities.of(self._facts, fingerprint, ids)
        return {image_id: one.occurrences / mean for image_id, one in found.items()}

    def _mean(self, fingerprint: str) -> float:
        read, mean = self._means.get(fingerprint, (-_FRESH, 0.0))
        if time.monotonic() - read > (_FRESH if mean else _NONE_YET):  # it reads every film that was measured
            mean = densities.usual(self._facts, fingerprint)[2]
            self._means[fingerprint] = time.monotonic(), mean
        return mean


def corrected(ranking: Sequence[Scored], how: Hubs, density: Mapping[str, Density]) -> list[Scored]:
    """The same films and cosines in the order of the corrected score (`core.hubs`).

    A film that was not measured counts as the mean of those that were.
    """
    if how is Hubs.KEEP or not density:
        return list(ranking)
    usual = sum(one.density for one in density.values()) / len(density)

    def score(scored: Scored) -> float:
        measured = density.get(scored.image_id)
        return float(hubs.corrected(how.value, scored.score, measured.density if measured else usual))

    return sorted(ranking, key=score, reverse=True)
