"""Running a network over a batch: no gradients, bounded memory, one place to set threads."""

from __future__ import annotations

from collections.abc import Callable

# isort: off
import services.encoders.offline  # noqa: F401
# isort: on

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

CHUNK = 32  # films or texts per forward pass


def set_threads(count: int) -> None:
    """Threads of one forward pass, for the whole process; 0 leaves torch's own choice."""
    if count > 0:
        torch.set_num_threads(count)


def forward(network: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor, dim: int) -> NDArray[np.float32]:
    """``(N, ...)`` to unit vectors ``(N, dim) float32``, ``CHUNK`` rows at a time."""
    out = np.empty((len(batch), dim), np.float32)
    with torch.inference_mode():
        for start in range(0, len(batch), CHUNK):
            vectors = network(batch[start : start + CHUNK]).float()
            out[start : start + CHUNK] = normalize(vectors, dim=1).numpy()
    return out
