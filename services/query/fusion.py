"""Several models' rankings become one: by rank, or by scores on one scale. Cosines as such cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from services.core.store import Scored

RANK_CONSTANT = 60  # Cormack, Clarke and Büttcher 2009: how gently the weight falls with the rank
_SPREAD = 3.0  # standard deviations that distribution-based fusion maps to the unit interval


class Fusion(StrEnum):
    """How. A film that a model did not find gets nothing from it, whichever way."""

    RRF = "rrf"  # sum of weight / (60 + rank)
    DBSF = "dbsf"  # scores between mean − 3 sd and mean + 3 sd of the model's list, added (Mazzeschi 2023)
    WEIGHTED = "weighted"  # scores between the list's worst and best, added by weight


@dataclass(frozen=True, slots=True)
class Place:
    """Where one model put a film: `rank` counts from 1, `score` is the cosine."""

    model: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Fused:
    """A film with its score (the model's cosine, or the fused score of several) and every model's place for it."""

    image_id: str
    score: float
    places: tuple[Place, ...]


def fuse(
    rankings: Mapping[str, Sequence[Scored]],
    limit: int | None = None,
    how: Fusion = Fusion.RRF,
    weights: Mapping[str, float] | None = None,
) -> list[Fused]:
    """The best `limit` films over all models, best first; ties stand in the order of ids.

    rankings: model → its films, nearest first, each film once. One model alone keeps its own order and cosines.
    """
    places: dict[str, list[Place]] = {}
    scores: dict[str, float] = {}
    for model, ranking in rankings.items():
        shares = _shares(ranking, how, (weights or {}).get(model, 1.0))
        for rank, (scored, share) in enumerate(zip(ranking, shares, strict=True), start=1):
            places.setdefault(scored.image_id, []).append(Place(model, rank, scored.score))
            scores[scored.image_id] = scores.get(scored.image_id, 0.0) + share
    if len(rankings) == 1:
        return [Fused(image_id, found[0].score, tuple(found)) for image_id, found in places.items()][:limit]
    best = sorted(scores, key=lambda image_id: (-scores[image_id], image_id))[:limit]
    return [Fused(image_id, scores[image_id], tuple(places[image_id])) for image_id in best]


def _shares(ranking: Sequence[Scored], how: Fusion, weight: float) -> list[float]:
    """What each place of a ranking gives to its film."""
    scores = np.array([scored.score for scored in ranking])
    if not scores.size:
        return []
    match how:
        case Fusion.RRF:
            given = 1.0 / (RANK_CONSTANT + np.arange(1, len(scores) + 1))
        case Fusion.DBSF:
            given = _between(scores, scores.mean() - _SPREAD * scores.std(), scores.mean() + _SPREAD * scores.std())
        case Fusion.WEIGHTED:
            given = _between(scores, scores.min(), scores.max())
    return [float(share) for share in weight * given]


def _between(scores: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Scores from 0 at `low` to 1 at `high`; all alike say nothing and get a half."""
    if high - low < 1e-9:
        return np.full(len(scores), 0.5)
    return np.clip((scores - low) / (high - low), 0.0, 1.0)
