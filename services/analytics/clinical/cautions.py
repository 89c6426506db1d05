"""What a reader must know before he believes a figure: written from what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_mutual_info_score

from services.analytics.clinical.asked import ClinicalAsked
from services.analytics.clinical.join import Column
from services.analytics.clinical.spaces import FILMED, FUSED

if TYPE_CHECKING:
    from services.analytics.clinical.work import Look

FEW = 100  # patients
EACH = 10  # events for each column of a model: the old rule of thumb
MUCH = 0.2  # missing
OPTIMISM = 0.05
SAME = 0.8  # adjusted mutual information of clusters and one category


def cautions(asked: ClinicalAsked, look: Look) -> list[str]:
    """Sentences, the gravest first."""
    return [*_few(look), *_time(asked, look), *_missing(look), *_models(asked, look), *_tests(look)]


def _few(look: Look) -> list[str]:
    found = []
    if len(look) < FEW:
        found.append(
            f"Only {len(look)} patients: every figure is a hint to be tried on others, and no finding. Clusters of so "
            "few come and go, and intervals by the bootstrap are too narrow."
        )
    if look.outcome is not None and look.gains:
        rare = look.outcome.events
        if look.outcome.time is None:
            rare = min(rare, len(look.outcome) - rare)
        columns = max(one.features for one in look.gains)
        if rare < EACH * columns:
            found.append(
                f"{rare} events for up to {columns} columns, {rare / columns:.1f} each (a rule of thumb wants {EACH}): "
                "the models are held back by a penalty chosen within folds, yet apparent figures say nothing; read "
                "only what is cross-validated."
            )
        gaps = {one.space: one.apparent - one.reading.value for one in look.gains}
        worst = max(gaps, key=lambda space: gaps[space])
        if gaps[worst] > OPTIMISM:
            found.append(
                f"Optimism is up to {gaps[worst]:.2f} ({worst}): so much is lost on patients not learned from."
            )
        known = next((one for one in look.gains if one.space == FILMED), None)
        if known is not None and known.reading.estimate.low > 0.5:
            found.append(
                f"How patients were filmed ({', '.join(look.filmed)}) tells the outcome by itself, cross-validated "
                f"{known.reading.estimate}: the sick are filmed in bed. Vectors see that, too; what they add may be no "
                "more than it."
            )
    return found


def _time(asked: ClinicalAsked, look: Look) -> list[str]:
    found = []
    if look.outcome is not None:
        found.append(
            "Whether a variable was known before the outcome, the tables do not say. A value taken after it, or a film "
            "taken because of it, foretells nothing."
            + (
                " The last film is the nearest to the outcome; the first is the one to foretell from."
                if asked.film != "first"
                else ""
            )
        )
        if look.outcome.time is not None:
            found.append(
                "Time runs from where the table's column says, not from the film: who had to live until a film could "
                "not die before it (immortal time). Who leaves the study is taken to fare like those who stay."
            )
    if look.joined.ordered < 1:
        found.append(
            f"Of patients with several films, {1 - look.joined.ordered:.0%} have one without date and number: which of "
            "theirs is first or last goes by its id, which means nothing."
        )
    return found


def _missing(look: Look) -> list[str]:
    gaps = {column.name: 1 - float(column.known.mean()) for column in look.columns}
    many = sorted((name for name, gap in gaps.items() if gap > MUCH), key=lambda name: -gaps[name])
    if not many:
        return []
    named = ", ".join(f"{name} ({gaps[name]:.0%})" for name in many[:6])
    return [
        f"{len(many)} of {len(gaps)} variables are unknown of more than {MUCH:.0%} of patients: {named}. Unknown takes "
        "the median and a column that says so; who was measured is seldom chance, and what a column of the unknown "
        "foretells is how patients were cared for."
    ]


def _models(asked: ClinicalAsked, look: Look) -> list[str]:
    found, fused = [], look.best(FUSED)
    if not fused.stable:
        found.append(
            f"Clusters by films and tables are not stable ({fused.in_stable:.0%} of patients in such that come back)."
        )
    if look.clouds[FUSED] > 0.05:
        found.append(
            "Patients lie no less evenly than in one normal cloud of the same covariance: clusters cut a continuum, "
            "even where the cut is stable."
        )
    for column in look.columns:
        same = _same(column, fused.members)
        if same > SAME:
            found.append(
                f"Clusters by films and tables are in the main those of {column.name} (adjusted mutual information "
                f"{same:.2f}): leave it out (--variables) to see what else there is."
            )
    bent = [
        one.grouping.name for one in look.sorted
        for effect in one.effects if effect.proportional is not None and effect.proportional < 0.05
    ]  # fmt: skip
    if bent:
        found.append(
            f"Hazards are not proportional (p < 0.05) between clusters by {'; '.join(dict.fromkeys(bent))}: the "
            "ratios are means over time."
        )
    return found


def _same(column: Column, members: NDArray[np.int32]) -> float:
    """How far clusters are a category's values, 0 by chance, 1 entirely."""
    if column.number:
        return 0.0
    known = column.known
    return float(adjusted_mutual_info_score(column.values[known].astype(str), members[known]))


def _tests(look: Look) -> list[str]:
    if look.outcome is None:
        return []
    tests = sum(np.isfinite(one.p) for one in look.sorted) + sum(one.effect.known for one in look.alone)
    return [
        f"{tests} tests were made of one outcome. q is the share of false discoveries among those up to it, in its "
        "own table; a p beside it counts as one test. How many analyses were tried before this, only you know.",
        "Intervals of cross-validated figures draw patients again and leave models as they are; all are "
        "of the same patients and folds.",
    ]
