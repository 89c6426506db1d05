"""Batches through an encoder; one film that an encoder cannot take costs the others nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.core.logs import get_logger
from services.encoders.base import Encoder, Prepared
from services.ingest.reasons import Reason

log = get_logger("ingest")

Vector = NDArray[np.float32]


def encode(encoder: Encoder, batch: Sequence[Prepared]) -> list[Vector | Reason]:
    """Prepared films → (D,) float32 each, (T, D) with T tokens, or why there is none.

    A batch that fails, for want of memory or otherwise, is halved and tried again until the film at fault stands alone.
    """
    if not batch:
        return []
    try:
        vectors = np.asarray(encoder.encode_images(batch), dtype=np.float32)
        spec = encoder.spec
        if vectors.shape != (len(batch), *([spec.tokens] if spec.tokens > 1 else []), spec.dim):
            raise ValueError("an encoder returned vectors of another shape than its specification")
    except Exception as error:
        if len(batch) == 1:
            log.exception("encoder.failed", error, model=encoder.spec.name)
            return [Reason.OUT_OF_MEMORY if isinstance(error, MemoryError) else Reason.ENCODER_FAILED]
        middle = len(batch) // 2
        log.warning("encoder.halved", model=encoder.spec.name, count=len(batch), error_type=type(error).__name__)
        return encode(encoder, batch[:middle]) + encode(encoder, batch[middle:])
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(vectors, axis=-1)  # in float32 as engines do: what overflows or vanishes here does there
    usable = (np.isfinite(norms) & (norms > 0)).reshape(len(batch), -1).all(axis=1)
    return [vector if good else Reason.NON_FINITE_VECTOR for vector, good in zip(vectors, usable, strict=True)]
