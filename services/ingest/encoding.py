"""Batches through an encoder; one film or text that an encoder cannot take costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError
from services.core.logs import get_logger
from services.encoders.base import Encoder, Prepared
from services.ingest.reasons import Reason

log = get_logger("ingest")

Vector = NDArray[np.float32]


def encode(encoder: Encoder, batch: Sequence[Prepared]) -> list[Vector | Reason]:
    """Prepared films → (D,) float32 each, (T, D) with T tokens, or why there is none.

    A batch that fails, for want of memory or otherwise, is halved and tried again until the film at fault stands alone.
    """
    spec = encoder.spec
    shape = (spec.tokens, spec.dim) if spec.tokens > 1 else (spec.dim,)
    return _halving(encoder.encode_images, batch, shape, spec.name)


def encode_words(encoder: Encoder, texts: Sequence[str]) -> list[Vector | HilumError]:
    """Texts → (D,) float32 each, or why there is none; a batch that fails is halved as one of films is."""
    found = _halving(encoder.encode_texts, texts, (encoder.spec.dim,), encoder.spec.name)
    return [
        HilumError(ErrorCode.INTERNAL, "the encoder fails on this text; say it in other words")
        if isinstance(vector, Reason)
        else vector
        for vector in found
    ]


def _halving(
    compute: Callable[[Any], Vector], batch: Sequence[Any], shape: tuple[int, ...], model: str
) -> list[Vector | Reason]:
    if not len(batch):
        return []
    try:
        vectors = np.asarray(compute(batch), dtype=np.float32)
        if vectors.shape != (len(batch), *shape):
            raise ValueError("an encoder returned vectors of another shape than its specification")
    except HilumError:  # of an encoder that runs elsewhere: all of it is away, and no film is to blame
        raise
    except Exception as error:
        if len(batch) == 1:
            log.exception("encoder.failed", error, model=model)
            return [Reason.OUT_OF_MEMORY if isinstance(error, MemoryError) else Reason.ENCODER_FAILED]
        middle = len(batch) // 2
        log.warning("encoder.halved", model=model, count=len(batch), error_type=type(error).__name__)
        return [result for part in (batch[:middle], batch[middle:]) for result in _halving(compute, part, shape, model)]
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(vectors, axis=-1)  # in float32 as engines do: what overflows or vanishes here does there
    usable = (np.isfinite(norms) & (norms > 0)).reshape(len(batch), -1).all(axis=1)
    return [vector if good else Reason.NON_FINITE_VECTOR for vector, good in zip(vectors, usable, strict=True)]
