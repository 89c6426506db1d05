"""All pairs of 64-bit hashes that differ in few bits, without comparing each with each.

Two hashes that differ in at most r bits agree wholly in at least one of r + 1 bands of bits. So hashes are sorted by
each band in turn, and only those that share a band are compared (multi-index hashing: Norouzi, Punjani and Fleet,
"Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

MOST_BITS = 12  # of difference; with more, bands are so narrow that everything is compared
_PAIRS = 2**20  # compared at a time: 24 MB

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]  # rows, other rows, bits of difference


def near(hashes: NDArray[np.uint64], within: int) -> Iterator[Pairs]:
    """Every pair of rows of `hashes` (N,) uint64 that differ in at most `within` bits, once, the lower row first."""
    bands = [_band(number, within + 1) for number in range(within + 1)]
    for number, band in enumerate(bands):
        key = hashes & band
        order = np.argsort(key, kind="stable")
        for one, other in _together(key[order]):
            rows, others = order[one], order[other]
            differ = hashes[rows] ^ hashes[others]
            bits = np.bitwise_count(differ).astype(np.int64)
            # A pair that an earlier band has brought together has been told.
            fresh = bits <= within
            for earlier in bands[:number]:
                fresh &= (differ & earlier) != 0
            if fresh.any():
                pair = np.sort(np.stack([rows[fresh], others[fresh]]), axis=0)
                yield pair[0], pair[1], bits[fresh]


def _band(number: int, of: int) -> np.uint64:
    """Bits number, number + of, …: neighbouring waves look alike, so a band takes them from everywhere."""
    return np.uint64(sum(1 << bit for bit in range(number, 64, of)))


def _together(key: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of positions of sorted `key` that hold the same value, so many at a time."""
    edges = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1], [True]])) if len(key) else np.zeros(1, int)
    end = np.repeat(edges[1:], np.diff(edges))  # where the run of each position ends
    partners = end - np.arange(len(key)) - 1
    upto = np.concatenate([[0], np.cumsum(partners)])
    for start in range(0, int(upto[-1]), _PAIRS):
        pair = np.arange(start, min(start + _PAIRS, int(upto[-1])))
        one = np.searchsorted(upto, pair, side="right") - 1
        yield one, one + 1 + (pair - upto[one])
