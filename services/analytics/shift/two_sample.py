"""Do two sets of films come from one distribution? A classifier, and the maximum mean discrepancy.

Both take films of different patients, one of each, so that any dealing of the films to the two sets were as likely, if
there were no difference, as what is seen: p = (1 + as far or further) / (1 + permutations).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from scipy.stats import rankdata
from sklearn.model_selection import train_test_split

from services.analytics import linear

MOST = 2000  # films of a test
_AT_ONCE = 200  # permutations


@dataclass(frozen=True)
class Tested:
    """value: AUROC of the classifier, or MMD².  p: by permutation.  films: it was tested on."""

    value: float
    p: float
    films: int


def classifier(unit: NDArray[np.float32], codes: NDArray[np.int32], permutations: int, seed: int) -> Tested:
    """Classifier two-sample test (Lopez-Paz & Oquab 2017) of two classes or more: learned from half of the films,
    tested on the other; macro AUROC, one class against the rest. Films of different patients."""
    learn, test = train_test_split(np.arange(len(codes)), test_size=0.5, stratify=codes, random_state=seed)
    classes = int(codes.max()) + 1
    held = linear.penalty(unit[learn], codes[learn], learn.astype(np.int32), seed)
    promise = linear.learn(unit[learn], codes[learn], classes, [held])[0](unit[test])
    ranks = np.column_stack([rankdata(promise[:, one]) for one in range(classes)])
    random = np.random.default_rng(seed)
    value = _macro(ranks, codes[test])
    drawn = np.array([_macro(ranks, random.permutation(codes[test])) for _ in range(permutations)])
    return Tested(value, float((1 + (drawn >= value - 1e-12).sum()) / (1 + permutations)), len(test))


def mmd(one: NDArray[np.float32], other: NDArray[np.float32], permutations: int, seed: int) -> Tested:
    """Unbiased MMD² (Gretton et al. 2012, lemma 6) under exp(−d²/2h²), h the median distance of two films."""
    both = np.concatenate([one, other]).astype(np.float64)
    kernel = rbf(both)
    np.fill_diagonal(kernel, 0.0)
    random, m, total = np.random.default_rng(seed), len(one), kernel.sum()
    inside = np.zeros((permutations + 1, len(both)))
    inside[0, :m] = 1
    for draw in inside[1:]:
        draw[random.permutation(len(both))[:m]] = 1
    found = np.concatenate([_mmd(kernel, inside[at : at + _AT_ONCE], total) for at in range(0, len(inside), _AT_ONCE)])
    value = float(found[0])
    return Tested(value, float((1 + (found[1:] >= value - 1e-15).sum()) / (1 + permutations)), len(both))


def rbf(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, N) kernel of (N, D)."""
    width = float(np.median(pdist(points))) or 1.0
    found: NDArray[np.float64] = np.exp(-cdist(points, points, "sqeuclidean") / (2 * width**2))
    return found


def _mmd(kernel: NDArray[np.float64], inside: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """(B,) of each dealing (B, N) of 0 and 1; the kernel without its diagonal."""
    m = inside[0].sum()
    n = len(kernel) - m
    towards = inside @ kernel
    within, all_of = (towards * inside).sum(axis=1), towards.sum(axis=1)
    across = all_of - within
    rest = total - 2 * across - within
    found: NDArray[np.float64] = within / (m * (m - 1)) + rest / (n * (n - 1)) - 2 * across / (m * n)
    return found


def _macro(ranks: NDArray[np.float64], codes: NDArray[np.int32]) -> float:
    """Mean AUROC by Mann and Whitney's U."""
    each = []
    for one in range(ranks.shape[1]):
        has = codes == one
        count = has.sum()
        if 0 < count < len(codes):
            each.append((ranks[has, one].sum() - count * (count + 1) / 2) / (count * (len(codes) - count)))
    return float(np.mean(each))
