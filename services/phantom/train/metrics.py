"""Ranking scores with patient-clustered confidence intervals."""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, its 95 % bootstrap interval over patients, and the counts behind it."""

    value: float
    low: float
    high: float
    positives: int
    negatives: int
    patients: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def auroc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve, ties counted half; ``weights (R, N)`` gives one area per row of weights.

    NaN where a row has no positive or no negative.
    """
    weights = np.ones((1, len(scores))) if weights is None else weights
    values, group = np.unique(scores, return_inverse=True)
    edges = np.zeros((len(weights), len(values), 2))
    for side, rows in enumerate((positive, ~positive)):
        np.add.at(edges[..., side].T, group[rows], weights[:, rows].T)
    good, bad = edges[..., 0], edges[..., 1]
    below = np.cumsum(bad, 1) - bad
    pairs = good.sum(1) * bad.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, (good * (below + 0.5 * bad)).sum(1) / pairs, np.nan)


def auroc_interval(scores: np.ndarray, positive: np.ndarray, patients: np.ndarray, seed: int = 0) -> Interval:
    """AUROC of N films, resampling whole patients: films of one person are not independent."""
    people, owner = np.unique(patients, return_inverse=True)
    draws = np.random.default_rng(seed).multinomial(len(people), np.full(len(people), 1 / len(people)), RESAMPLES)
    spread = auroc(scores, positive, draws[:, owner].astype(float))
    low, high = np.nanpercentile(spread, [2.5, 97.5])
    return Interval(
        float(auroc(scores, positive)[0]),
        float(low),
        float(high),
        int(positive.sum()),
        int((~positive).sum()),
        len(people),
    )


def purity(vectors: np.ndarray, has: np.ndarray, patients: np.ndarray, k: int = 10) -> tuple[float, float]:
    """Share of the ``k`` nearest films of other patients that have what the query has, and the share by chance.

    ``vectors (N, D)`` are unit; ``has (N, F) bool``. Both are means over findings of means over films that have it.
    """
    cosines = vectors @ vectors.T
    cosines[patients[:, None] == patients[None]] = -np.inf
    nearest = np.argpartition(-cosines, k, axis=1)[:, :k]
    shares = [has[nearest[has[:, f]], f].mean() for f in range(has.shape[1]) if has[:, f].any()]
    return float(np.mean(shares)), float(np.mean([h.mean() for h in has.T if h.any()]))


def same_patient_first(vectors: np.ndarray, patients: np.ndarray) -> tuple[float, float, int]:
    """Of films whose patient has another film: how often the nearest is that patient's; by chance; how many films."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    same = patients[:, None] == patients[None]
    others = same.sum(1) - 1
    asked = others > 0
    hit = same[np.arange(len(patients)), cosines.argmax(1)]
    return float(hit[asked].mean()), float((others[asked] / (len(patients) - 1)).mean()), int(asked.sum())
