"""Several models' rankings become one, by rank: cosines of different models cannot be compared, ranks can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.core.store import Scored

RANK_CONSTANT = 60  # Cormack, Clarke and Büttcher 2009: how gently the weight falls with the rank


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


def fuse(rankings: Mapping[str, Sequence[Scored]], limit: int) -> list[Fused]:
    """The best `limit` films over all models, best first; ties stand in the order of ids.

    rankings: model → its films, nearest first, each film once. One model alone keeps its own order and cosines;
    several are fused by reciprocal rank: the sum of 1 / (60 + rank) over the models that found the film.
    """
    places: dict[str, list[Place]] = {}
    for model, ranking in rankings.items():
        for rank, scored in enumerate(ranking[:limit] if len(rankings) == 1 else ranking, start=1):
            places.setdefault(scored.image_id, []).append(Place(model, rank, scored.score))
    if len(rankings) == 1:
        return [Fused(image_id, found[0].score, tuple(found)) for image_id, found in places.items()]
    fused = [
        Fused(image_id, sum(1.0 / (RANK_CONSTANT + place.rank) for place in found), tuple(found))
        for image_id, found in places.items()
    ]
    return sorted(fused, key=lambda film: (-film.score, film.image_id))[:limit]
