"""Typical, atypical, look-alike and disputed films: which films may answer, and what stands for nearness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError
from services.core.filters import Expr, all_of, equals
from services.core.labels import LabelState, merge
from services.core.store import Scored
from services.core.types import ImageRecord
from services.query.asked import Mode, Ranking
from services.query.fusion import Fused, Place

NO_FINDING = "no_finding"


def condition(ranking: Ranking, own: Sequence[ImageRecord]) -> Expr | None:
    """Which films may answer besides. A look-alike is *stated* not to have the diagnosis: silence is no statement.

    Raises FAILED_PRECONDITION when nobody knows which diagnosis a look-alike should not have.
    """
    match ranking.mode:
        case Mode.TYPICAL | Mode.ATYPICAL:
            return equals(f"labels.{ranking.finding}", LabelState.PRESENT)
        case Mode.LOOKALIKE:
            theirs = [ranking.finding] if ranking.finding else sorted(diagnoses(own))
            if not theirs:
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION,
                    "nobody states a finding of this film; name the one that look-alikes should not have in `finding`",
                )
            return all_of(*(equals(f"labels.{name}", LabelState.ABSENT) for name in theirs))
        case _:
            return None


def diagnoses(records: Sequence[ImageRecord]) -> set[str]:
    """Findings that are present on all of these films together."""
    return {
        name
        for record in records
        for name, state in merge(list(record.labels)).items()
        if state is LabelState.PRESENT and name != NO_FINDING
    }


def has_another(record: ImageRecord) -> bool:
    """Has a look-alike a diagnosis at all? A normal film is a contrast, not a look-alike with another diagnosis."""
    return bool(diagnoses([record]))


def by_typicality(
    ids: Sequence[str], vectors: NDArray[np.float32], general: NDArray[np.float32], mode: Mode
) -> list[Scored]:
    """Films of a finding by their cosine with the middle of all of them, both less what any film has.

    vectors: (N, D) float32 of unit length; general: (D,) the mean of films of all kinds.
    """
    if not len(ids):
        return []
    apart = vectors - general
    apart /= np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-12)
    middle = apart.mean(0)
    scores = apart @ (middle / max(float(np.linalg.norm(middle)), 1e-12))
    order = np.argsort(scores if mode is Mode.ATYPICAL else -scores, kind="stable")
    return [Scored(ids[i], float(scores[i])) for i in order]


def by_disagreement(rankings: Mapping[str, Sequence[Scored]], reach: int) -> list[Fused]:
    """Films near for one model and far for another, the most disputed first, by the ratio of their ranks.

    Of a film that a model's list does not reach nobody knows more than that its rank is beyond the list's end. Films
    that no model has among its first `reach` are of no interest.
    """
    places: dict[str, list[Place]] = {}
    for model, ranking in rankings.items():
        for rank, scored in enumerate(ranking, 1):
            places.setdefault(scored.image_id, []).append(Place(model, rank, scored.score))
    ends = {model: len(ranking) + 1 for model, ranking in rankings.items()}
    found = []
    for image_id, known in places.items():
        ranks = ends | {place.model: place.rank for place in known}
        if min(ranks.values()) <= reach:
            found.append(Fused(image_id, math.log(max(ranks.values()) / min(ranks.values())), tuple(known)))
    return sorted(found, key=lambda film: (-film.score, film.image_id))


def why(mode: Mode, film: Fused, record: ImageRecord, ends: Mapping[str, int]) -> str:
    """What the mode says of a film, in words."""
    match mode:
        case Mode.TYPICAL | Mode.ATYPICAL:
            return f"cosine {film.score:.2f} with the middle of the films that have it"
        case Mode.LOOKALIKE:
            return "has " + ", ".join(sorted(diagnoses([record]))).replace("_", " ")
        case Mode.DISAGREE:
            ranks = {place.model: str(place.rank) for place in film.places}
            return ", ".join(f"{model} {ranks.get(model, f'beyond {end}')}" for model, end in ends.items())
        case _:
            return ""
