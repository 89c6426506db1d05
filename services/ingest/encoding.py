"""Batches through an encoder; one film that an encoder cannot take costs the others nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.core.logs import get_logger
from services.encoders.base import Encoder
from services.ingest.reasons import Reason

log = get_logger("ingest")

Prepared = NDArray[np.float32]
Vector = NDArray[np.float32]


def encode(encoder: Encoder, batch: Sequence[Prepared]) -> list[Vector | Reason]:
    """(3, S, S) float32 each → (D,) float32 each, or why there is none.

    A batch that fails, for want of memory or otherwise, is halved and tried again until the film at fault stands alone.
    """
    if not batch:
        return []
    try:
        vectors = np.asarray(encoder.encode_images(np.stack(batch)), dtype=np.float32)
        if vectors.shape != (len(batch), encoder.spec.dim):
            raise ValueError("an encoder returned vectors of another shape than its specification")
    except Exception as error:
        if len(batch) == 1:
            log.exception("encoder.failed", error, model=encoder.spec.name)
            return [Reason.OUT_OF_MEMORY if isinstance(error, MemoryError) else Reason.ENCODER_FAILED]
        middle = len(batch) // 2
        log.warning("encoder.halved", model=encoder.spec.name, count=len(batch), error_type=type(error).__name__)
        return encode(encoder, batch[:middle]) + encode(encoder, batch[middle:])
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(vectors, axis=1)  # in float32 as engines do: what overflows or vanishes here does there
    usable = np.isfinite(norms) & (norms > 0)
    return [vector if good else Reason.NON_FINITE_VECTOR for vector, good in zip(vectors, usable, strict=True)]
