"""Words and films to vectors: the child process holds no encoder, it asks the one that its service asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.analytics.progress import Progress
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.transport.encode_client import EncodeClient, Vector

_BATCH = 64  # texts in one call: a text tower takes some milliseconds for each, and others ask, too
_PATIENCE = 120.0  # seconds for which an encoder may be busy


class Reads(Protocol):
    """A model that reads words: its spec, or what the Encode RPC says of it."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def dim(self) -> int: ...


def client(settings: Settings) -> EncodeClient | None:
    """Who encodes for analyses: `Settings.encode`, HILUM_ENCODE for the child; None where nobody does."""
    return EncodeClient.remote(settings.encode) if settings.encode else None


def texts(
    encode: EncodeClient, spec: Reads, words: Sequence[str], progress: Progress, stage: str = "words"
) -> NDArray[np.float32]:
    """(N, D) float32, L2-normalised, row i of words[i]; a text that comes twice is asked for once.

    Raises what the encoder says of a text that cannot be read, FAILED_PRECONDITION for a model that reads none or that
    has changed since its films were stored, RESOURCE_EXHAUSTED or UNAVAILABLE when nobody answers in time.
    """
    distinct = list(dict.fromkeys(words))
    progress(stage, 0, len(distinct))
    found = np.empty((len(distinct), spec.dim), np.float32)
    for start in range(0, len(distinct), _BATCH):
        part = distinct[start : start + _BATCH]
        answers = _patiently(partial(encode.encode_texts, spec.name, part, spec.fingerprint))
        for row, vector in enumerate(answers, start):
            if isinstance(vector, HilumError):
                raise vector
            found[row] = vector
        progress(stage, start + len(part), len(distinct))
    place = {text: row for row, text in enumerate(distinct)}
    return found[[place[text] for text in words]]


def films(encode: EncodeClient, spec: Reads, pictures: Sequence[bytes]) -> list[Vector | HilumError]:
    """One vector, (D,) or (T, D), or the reason there is none, per file of one call: at most MAX_BATCH.

    Raises FAILED_PRECONDITION for a model that has changed since its films were stored, and what else the encoder says
    of the model; RESOURCE_EXHAUSTED or UNAVAILABLE when nobody answers in time.
    """
    return _patiently(partial(encode.encode_images, spec.name, pictures, spec.fingerprint))


def _patiently(ask: Callable[[], list[Vector | HilumError]]) -> list[Vector | HilumError]:
    """One call, again while the encoder is busy."""
    deadline, pause = time.monotonic() + _PATIENCE, 0.5
    while True:
        try:
            return ask()
        except HilumError as error:
            busy = error.code in (ErrorCode.RESOURCE_EXHAUSTED, ErrorCode.UNAVAILABLE)
            if not busy or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 5.0)
