"""Hubs: films that are near everything push themselves into every answer. Their crowding is measured beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.core import hubs
from services.core.facts.densities import Density
from services.core.store import Scored
from services.query.asked import Hubs


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
