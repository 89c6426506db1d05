"""The k most similar films of each, kept while similarities are worked out block by block.

NumPy's `argpartition` took longer than the products of matrices themselves; here most numbers are looked at once, and
found too small. Not in parallel: the products before it are, and it is a tenth of their work.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

_NONE = np.float32(-2.0)  # less similar than anything
ANYBODY = np.empty(0, dtype=np.int32)  # in the place of patients: films of the same patient may be neighbours


def nobody(films: int, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """ids and similarities, (N, k) each, of films that were offered nobody so far: the ids mean nothing."""
    return np.zeros((films, k), dtype=np.int32), np.full((films, k), _NONE, dtype=np.float32)


def distances(similar: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine distances, 0 to 2; infinite where nobody was offered."""
    return np.where(similar == _NONE, np.float32(np.inf), np.clip(1.0 - similar, 0.0, 2.0))


@numba.njit(cache=True, nogil=True)
def offer(block, films, at, others, patients, ids, similar):  # type: ignore[no-untyped-def]
    """Take into (ids, similar), in place, whoever of `others` is nearer than the farthest kept, nearest first, among
    equals the one with the lower row; nobody twice is the caller's care.

    block (M, O) float32: similarities of films and others; films (M,), others (O,): their rows; at (M,): the rows of
    `ids` and `similar` that are theirs; patients (N,) int32 or ANYBODY.
    """
    last = ids.shape[1] - 1
    for i in range(len(films)):
        film, row = films[i], at[i]
        least = similar[row, last]
        for j in range(len(others)):
            score = block[i, j]
            if score < least:
                continue
            other = others[j]
            if other == film or (score == least and other > ids[row, last]):
                continue
            if len(patients) and patients[film] == patients[other]:
                continue
            place = last
            while place > 0 and (
                similar[row, place - 1] < score or (similar[row, place - 1] == score and ids[row, place - 1] > other)
            ):
                ids[row, place], similar[row, place] = ids[row, place - 1], similar[row, place - 1]
                place -= 1
            ids[row, place], similar[row, place] = other, score
            least = similar[row, last]
