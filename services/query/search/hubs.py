"""Hubs: films that are near everything push themselves into every answer. Their crowding is measured beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.core.facts.densities import Density
from services.core.store import Scored
from services.query.asked import Hubs


def corrected(ranking: Sequence[Scored], how: Hubs, density: Mapping[str, Density]) -> list[Scored]:
    """The same films and cosines in the order of the corrected score.

    csls: 2 cos − the film's mean cosine with its own neighbours (Conneau et al. 2018; the question's own is the same
    for every film).  scaling: squared distance over the film's distance to its neighbours (Zelnik-Manor and Perona
    2005). A film that was not measured counts as the mean of those that were.
    """
    if how is Hubs.KEEP or not density:
        return list(ranking)
    usual = sum(one.density for one in density.values()) / len(density)

    def crowding(scored: Scored) -> float:
        return density[scored.image_id].density if scored.image_id in density else usual

    def by_csls(scored: Scored) -> float:
        return 2 * scored.score - crowding(scored)

    def by_scaling(scored: Scored) -> float:
        return -((1 - scored.score) ** 2) / max(1 - crowding(scored), 1e-6)

    return sorted(ranking, key=by_csls if how is Hubs.CSLS else by_scaling, reverse=True)
