"""How far judges agree, over many sets at once, with intervals that draw sets again.

S sets of n films each; C categories: not chosen and chosen, or grades 0 to 3. What one judge says is `said` (S, n, C):
one for the category that a film got, 0 everywhere in a set that was not judged. A consensus with ties says shares.

Every figure is a ratio of sums over sets, so a bootstrap is a product with weights (B, S): how often each set is in
each draw. Fleiss 1971; Cohen 1960 and 1968, equal to statsmodels' `fleiss_kappa` and `cohens_kappa`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2_000
Array = NDArray[np.float64]
_LEAST = 5  # sets below which an interval would only pretend to know something


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with the ends of its 95 % interval; NaN where it cannot be told."""

    value: float = np.nan
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """weights: (1 + B, S), the first row ones: the sample itself."""

    weights: Array

    @classmethod
    def of(cls, clusters: Sequence[object], seed: int, draws: int = DRAWS) -> Bootstrap:
        """clusters: (S,) what is drawn: sets with one query stand or fall together."""
        _, code = np.unique(np.array([str(one) for one in clusters], dtype=object), return_inverse=True)
        many = int(code.max(initial=-1)) + 1
        if not many:
            return cls(np.ones((1, 0)))
        drawn = np.random.default_rng(seed).multinomial(many, np.full(many, 1 / many), size=draws)
        return cls(np.concatenate([np.ones((1, len(code))), drawn[:, code]]).astype(np.float64))

    def figure(self, of: Callable[[Array], Array], sets: int) -> Figure:
        """of: weights (B, S) → (B,) values.  sets: how many it rests on."""
        with np.errstate(invalid="ignore", divide="ignore"):
            value, *drawn = of(self.weights)
        found = np.asarray(drawn)[np.isfinite(drawn)]
        if sets < _LEAST or not len(found) or not np.isfinite(value):
            return Figure(float(value))
        low, high = np.percentile(found, (2.5, 97.5))
        return Figure(float(value), float(low), float(high))

    def mean(self, values: Array) -> Figure:
        """values: (S,), NaN where there is none."""
        return self.figure(lambda weights: mean(values, weights), int(np.isfinite(values).sum()))


def mean(values: Array, weights: Array) -> Array:
    """(B,) weighted means of values (S,), NaN left out."""
    there = np.isfinite(values)
    return (weights @ np.where(there, values, 0.0)) / (weights @ there.astype(np.float64))


def average(values: Array) -> Array:
    """Mean over the first axis, NaN left out; NaN where there is nothing."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.where(there, values, 0.0).sum(axis=0) / there.sum(axis=0)
    return found


def top(scores: Array, k: int) -> Array:
    """(S, n) → shares (S, n) that sum to k: 1 for films among the k highest; films that tie for the last places have
    equal parts of them. A set of NaN has none."""
    ordered = -np.sort(-scores, axis=1)
    border = ordered[:, k - 1 : k]
    above, tied = scores > border, scores == border
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (k - above.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True)
    return np.where(above, 1.0, np.where(tied, part, 0.0))


def ties(shares: Array, model: Array, k: int) -> tuple[Array, Array]:
    """(S,) each: agreement with the model were every tie decided against it, and for it."""
    sure = ((shares == 1) & (model == 1)).sum(axis=1)
    open_ = (shares > 0) & (shares < 1)
    slots = np.rint(np.where(open_, shares, 0.0).sum(axis=1))
    tied, with_it = open_.sum(axis=1), (open_ & (model == 1)).sum(axis=1)
    least = np.maximum(0, slots - (tied - with_it))
    return (sure + least) / k, (sure + np.minimum(slots, with_it)) / k


def overlap(one: Array, other: Array, k: int) -> Array:
    """(S,): share of the k films that both have; NaN in sets that either has not judged."""
    judged = (one.sum(axis=1) > 0) & (other.sum(axis=1) > 0)
    return np.where(judged, (one * other).sum(axis=1) / k, np.nan)


def chosen(shares: Array) -> Array:
    """Shares (S, n) as what is said of not chosen and chosen: (S, n, 2)."""
    judged = shares.sum(axis=1, keepdims=True) > 0
    return np.stack([np.where(judged, 1.0 - shares, 0.0), shares], axis=2)


def graded(grades: NDArray[np.int64], categories: int) -> Array:
    """Grades (S, n), below 0 where not judged, as what is said: (S, n, categories)."""
    return (grades[:, :, None] == np.arange(categories)).astype(np.float64)


def cohen(one: Array, other: Array, bootstrap: Bootstrap, quadratic: bool = False) -> Figure:
    """Cohen's kappa of two judges over the films of the sets that both judged; quadratic: of grades, where being two
    apart is four times as bad as being one apart."""
    tables = np.einsum("snc,snd->scd", one, other)
    steps = np.arange(one.shape[2])
    apart = np.abs(steps[:, None] - steps[None, :]).astype(np.float64)
    apart = apart**2 if quadratic else (apart > 0).astype(np.float64)

    def kappa(weights: Array) -> Array:
        table = np.einsum("bs,scd->bcd", weights, tables)
        total = table.sum(axis=(1, 2))
        expected = table.sum(axis=2)[:, :, None] * table.sum(axis=1)[:, None, :] / total[:, None, None]
        return 1.0 - (table * apart).sum(axis=(1, 2)) / (expected * apart).sum(axis=(1, 2))

    return bootstrap.figure(kappa, int((tables.sum(axis=(1, 2)) > 0).sum()))


def fleiss(said: Array, bootstrap: Bootstrap) -> Figure:
    """Fleiss' kappa of judges (R, S, n, C), over sets that two or more of them judged. Where their number differs from
    set to set, each film's agreement is that of the pairs there are, as Fleiss, Levin & Paik 2003 (18.3) have it."""
    counts = said.sum(axis=0)
    judges = counts.sum(axis=2)
    usable = judges[:, 0] >= 2
    with np.errstate(invalid="ignore", divide="ignore"):
        pairs = ((counts**2).sum(axis=2) - judges) / (judges * (judges - 1))
    agreed = np.where(usable, np.where(usable[:, None], pairs, 0.0).sum(axis=1), 0.0)
    films = np.where(usable, float(counts.shape[1]), 0.0)
    categories = np.where(usable[:, None], counts.sum(axis=1), 0.0)

    def kappa(weights: Array) -> Array:
        observed = (weights @ agreed) / (weights @ films)
        shares = weights @ categories
        shares = shares / shares.sum(axis=1, keepdims=True)
        by_chance = (shares**2).sum(axis=1)
        return (observed - by_chance) / (1.0 - by_chance)

    return bootstrap.figure(kappa, int(usable.sum()))


def ndcg(grades: Array, k: int) -> Array:
    """(S,): of films (S, n) in the model's order, by their grades: gain = grade, discount log2(place + 1), over the
    best order of the same films (Järvelin & Kekäläinen 2002). NaN where every grade is 0 or none was given."""
    best = _gained(-np.sort(-grades, axis=1), k)
    return np.where(best > 0, _gained(grades, k) / np.where(best > 0, best, 1.0), np.nan)


def ndcg_by_chance(grades: Array, k: int) -> Array:
    """(S,): the same, expected of a random order."""
    best = _gained(-np.sort(-grades, axis=1), k)
    blind = _gained(np.repeat(grades.mean(axis=1, keepdims=True), grades.shape[1], axis=1), k)
    return np.where(best > 0, blind / np.where(best > 0, best, 1.0), np.nan)


def _gained(grades: Array, k: int) -> Array:
    some: Array = (grades[:, :k] / np.log2(np.arange(2, min(k, grades.shape[1]) + 2))).sum(axis=1)
    return some
