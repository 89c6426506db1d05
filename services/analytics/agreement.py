"""Do neighbours agree? Neighbour purity of a label against chance, with intervals that resample patients.

Of a film whose state is known, look at its neighbours in the graph that are of *other patients* and whose state is
known too: what share has the same state? Chance is the same share among all such films. A film nobody stated anything
of is left out on both sides; it never counts as absent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from services.analytics.graph import Graph

REPLICATES = 1_000


@dataclass(frozen=True)
class Agreement:
    """films: with a known state and a neighbour to compare with.  used: mean neighbours of each that could be compared.
    purity, chance, lift (purity − chance) with 95 % intervals; `present` is the same among films that have the finding,
    the rarer and harder half.  lifts: (REPLICATES,) of the bootstrap, paired over models that saw the same films.
    """

    films: int
    used: float
    purity: float
    purity_low: float
    purity_high: float
    chance: float
    lift: float
    lift_low: float
    lift_high: float
    present: float | None
    present_chance: float | None
    lifts: NDArray[np.float64]

    def as_json(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "lifts"}


class Resampler:
    """Draws of patients with replacement, the same ones for every model and label of a run."""

    def __init__(self, patients: NDArray[np.int32], seed: int, replicates: int = REPLICATES) -> None:
        self.patients = patients
        self.people = int(patients.max()) + 1
        self._seed = seed
        self._replicates = replicates

    def totals(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """sums: (P, M) per patient → (R, M) totals of each draw."""
        random = np.random.default_rng(self._seed)
        totals = np.empty((self._replicates, sums.shape[1]))
        for draw in range(self._replicates):
            times = np.bincount(random.integers(0, self.people, self.people), minlength=self.people)
            totals[draw] = times @ sums
        return totals

    def by_patient(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) per film → (P,) per patient."""
        return np.bincount(self.patients, weights=values, minlength=self.people)


def agreement(graph: Graph, classes: NDArray[np.int32], resampler: Resampler, finding: bool = True) -> Agreement | None:
    """classes: (N,) int32, −1 unknown. `finding`: they are 0 absent and 1 present.

    None when no film can be compared with a neighbour.
    """
    patients = resampler.patients
    known = classes >= 0
    near = graph.ids
    usable = known[near] & (patients[near] != patients[:, None]) & known[:, None]
    used = usable.sum(axis=1)
    films = used > 0
    if not films.any():
        return None
    same = (usable & (classes[near] == classes[:, None])).sum(axis=1)
    share = np.divide(same, used, out=np.zeros(len(used)), where=films)
    expected, possible = _chance(classes, patients)
    films &= possible
    one = films & (classes == 1) & finding
    counted = films.astype(float)
    per_patient = np.stack([resampler.by_patient(v) for v in (counted, share * counted, expected * counted)], axis=1)
    totals = resampler.totals(per_patient)
    alive = totals[:, 0] > 0
    purities = totals[alive, 1] / totals[alive, 0]
    lifts = np.full(len(totals), np.nan)
    lifts[alive] = purities - totals[alive, 2] / totals[alive, 0]
    purity, chance = float(share[films].mean()), float(expected[films].mean())
    purity_low, purity_high = np.percentile(purities, [2.5, 97.5])
    lift_low, lift_high = np.percentile(lifts[alive], [2.5, 97.5])
    return Agreement(
        films=int(films.sum()), used=float(used[films].mean()), purity=purity, purity_low=float(purity_low),
        purity_high=float(purity_high), chance=chance, lift=purity - chance, lift_low=float(lift_low),
        lift_high=float(lift_high), present=float(share[one].mean()) if one.any() else None,
        present_chance=float(expected[one].mean()) if one.any() else None, lifts=lifts,
    )  # fmt: skip


def _chance(classes: NDArray[np.int32], patients: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """For each known film, the share of its class among known films of other patients; and where there are any."""
    known = np.flatnonzero(classes >= 0)
    expected = np.zeros(len(classes))
    possible = np.zeros(len(classes), dtype=bool)
    kinds = int(classes.max()) + 1
    own = np.bincount(patients[known], minlength=int(patients.max()) + 1)
    key = patients[known].astype(np.int64) * kinds + classes[known]
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    of_class = np.bincount(classes[known], minlength=kinds)
    others = len(known) - own[patients[known]]
    alike = of_class[classes[known]] - counts[inverse]
    possible[known] = others > 0
    expected[known] = np.divide(alike, others, out=np.zeros(len(known)), where=others > 0)
    return expected, possible


def compare(first: Agreement, second: Agreement) -> dict[str, float]:
    """Difference of two models' lift on one label (first − second), paired over the draws of patients."""
    apart = first.lifts - second.lifts
    low, high = np.percentile(apart[~np.isnan(apart)], [2.5, 97.5])
    return {"difference": first.lift - second.lift, "low": float(low), "high": float(high)}
