"""Models against one another on the same films and the same draws of patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from services.analytics.probe.cross import Probed
from services.analytics.probe.draw import apart
from services.analytics.probe.scores import MEASURES, Measured, holm, together, wald

Key = tuple[str, str]  # dataset, label


@dataclass(frozen=True)
class Difference:
    """one − other in one task (None: the mean of those of single datasets).

    p: as though it were the only one.  p_holm: among all tasks and pairs of models of this classifier and measure.
    """

    one: str
    other: str
    task: Key | None
    classifier: str
    measure: str
    found: Measured
    p: float
    p_holm: float


def compare(probed: Mapping[str, Mapping[Key, Probed]], classifiers: Sequence[str]) -> list[Difference]:
    """Every pair of models. probed: model → task → what it made of it."""
    every = list[Difference]()
    averaged = {task.key for task in apart([p.task for p in next(iter(probed.values()), {}).values()])}
    for classifier in classifiers:
        for measure in MEASURES:
            less = {
                (one, other, key): probed[one][key]
                .figures[classifier][measure]
                .less(probed[other][key].figures[classifier][measure])
                for one, other in combinations(probed, 2)
                for key in probed[one]
            }
            p = {name: wald(found) for name, found in less.items()}
            corrected = holm(p)
            for one, other in combinations(probed, 2):
                mean = together(
                    [found for (a, b, key), found in less.items() if (a, b) == (one, other) and key in averaged]
                )
                every.append(Difference(one, other, None, classifier, measure, mean, wald(mean), float("nan")))
            every += [
                Difference(one, other, key, classifier, measure, found, p[one, other, key], corrected[one, other, key])
                for (one, other, key), found in less.items()
            ]
    return every
