"""Measures of rankings, over many queries at once. They are trec_eval's, to its definitions.

gains: (Q, K) grades of the first K films of each answer, best place first; 0 is not relevant, also where an answer is
shorter than K.  ideal: (Q, K) the highest K grades there are for each query, highest first.  relevant: (Q,) how many
relevant films there are for it, found or not.

A query with nothing relevant has no value: NaN. Films with equal scores stand in the order of their ids, everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Gains = NDArray[np.float32]
Values = NDArray[np.float64]


def precision(gains: Gains, relevant: NDArray[np.int64], k: int) -> Values:
    """Share of the first k that is relevant. trec_eval: P_k."""
    return _of_some((gains[:, :k] > 0).sum(axis=1) / k, relevant)


def recall(gains: Gains, relevant: NDArray[np.int64], k: int) -> Values:
    """Share of the relevant that is among the first k. trec_eval: recall_k."""
    return _of_some((gains[:, :k] > 0).sum(axis=1) / np.maximum(relevant, 1), relevant)


def average_precision(gains: Gains, relevant: NDArray[np.int64], k: int, reachable: bool = True) -> Values:
    """Mean, over the relevant, of the precision at the place of each among the first k.

    reachable: over the min(k, relevant) that there is room for, so that 1 can be had; else over all, as trec_eval's
    map_cut_k does, whose best with many relevant films is far below 1.
    """
    hits = gains[:, :k] > 0
    precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    most = np.minimum(relevant, k) if reachable else relevant
    return _of_some((precisions * hits).sum(axis=1) / np.maximum(most, 1), relevant)


def ndcg(gains: Gains, ideal: Gains, k: int, graded: bool = True) -> Values:
    """Discounted cumulative gain over the best there could be: Järvelin & Kekäläinen 2002, gain = grade, discount
    log2(place + 1). trec_eval: ndcg_cut_k. graded: else every relevant film gains 1."""
    found, best = (gains, ideal) if graded else (gains > 0, ideal > 0)
    top = _dcg(best[:, :k])
    return _of_some(_dcg(found[:, :k]) / np.where(top > 0, top, 1), top)


def by_chance(
    judged: NDArray[np.int64], relevant: NDArray[np.int64], mean: Values, ideal: Gains, k: int
) -> dict[str, Values]:
    """What a retriever of random films gets, exactly: the expectation over all orders of the judged films.

    judged, relevant: (Q,) films that can be found, and those of them that are relevant.  mean: (Q,) mean grade.
    """
    share = relevant / np.maximum(judged, 1)
    pair = share * (relevant - 1) / np.maximum(judged - 1, 1)  # two given places are both relevant
    depth = np.minimum(judged, k)
    places = np.arange(1, k + 1)
    there = places <= judged[:, None]
    each = (share[:, None] + (places - 1) * pair[:, None]) / places * there
    discount = (there / np.log2(places + 1)).sum(axis=1)
    graded, binary = _dcg(ideal[:, :k]), _dcg(ideal[:, :k] > 0)
    return {
        "P": _of_some(share * depth / k, relevant),
        "recall": _of_some(depth / np.maximum(judged, 1), relevant),
        "mAP": _of_some(each.sum(axis=1) / np.maximum(np.minimum(relevant, k), 1), relevant),
        "nDCG": _of_some(mean * discount / np.where(graded > 0, graded, 1), relevant),
        "nDCG binary": _of_some(share * discount / np.where(binary > 0, binary, 1), relevant),
    }


def all_at(gains: Gains, ideal: Gains, relevant: NDArray[np.int64], k: int) -> dict[str, Values]:
    """Every measure at one depth, (Q,) each."""
    return {
        "P": precision(gains, relevant, k),
        "recall": recall(gains, relevant, k),
        "mAP": average_precision(gains, relevant, k),
        "nDCG": ndcg(gains, ideal, k),
        "nDCG binary": ndcg(gains, ideal, k, graded=False),
    }


def _dcg(gains: Gains | NDArray[np.bool_]) -> Values:
    return (gains / np.log2(np.arange(2, gains.shape[1] + 2))).sum(axis=1)


def _of_some(values: Values, relevant: NDArray[np.generic]) -> Values:
    return np.where(relevant > 0, values, np.nan)
