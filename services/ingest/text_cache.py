"""The vectors of texts asked for lately: people refine a search word by word, and prompts come again and again."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from services.transport import metrics

Vector = NDArray[np.float32]
_OVERHEAD = 400  # bytes of an entry beside its text and its numbers


class TextCache:
    """(fingerprint, text exactly as the tower reads it) → its vector; the least recently used leave when it is full.

    A template is part of that text, so one text asked in two ways has two entries.
    """

    def __init__(self, most_bytes: int = 32 * 2**20) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[tuple[str, str], Vector] = OrderedDict()
        self._lock = threading.Lock()
        self.size = 0

    def get(self, fingerprint: str, text: str) -> Vector | None:
        """The vector, read-only, or None."""
        with self._lock:
            found = self._kept.get((fingerprint, text))
            if found is not None:
                self._kept.move_to_end((fingerprint, text))
        metrics.TEXT_CACHE.labels("miss" if found is None else "hit").inc()
        return found

    def put(self, fingerprint: str, text: str, vector: Vector) -> None:
        """Keep a copy."""
        kept = np.array(vector, dtype=np.float32)
        kept.flags.writeable = False
        with self._lock:
            self._remove(self._kept.pop((fingerprint, text), None), text)
            self._kept[fingerprint, text] = kept
            self.size += _cost(text, kept)
            while self.size > self._most:
                (_, oldest), gone = self._kept.popitem(last=False)
                self._remove(gone, oldest)

    def __len__(self) -> int:
        return len(self._kept)

    def _remove(self, vector: Vector | None, text: str) -> None:
        if vector is not None:
            self.size -= _cost(text, vector)


def _cost(text: str, vector: Vector) -> int:
    return 4 * len(text) + vector.nbytes + _OVERHEAD
