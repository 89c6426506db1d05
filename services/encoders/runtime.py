"""Running a network over a batch: no gradients, bounded memory, one place to set threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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


def forward(
    network: Callable[[Mapping[str, torch.Tensor]], torch.Tensor], inputs: Mapping[str, torch.Tensor]
) -> NDArray[np.float32]:
    """Tensors of N rows each to unit vectors ``(N, ..., D) float32``, ``CHUNK`` rows at a time."""
    count = len(next(iter(inputs.values())))
    out: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, count, CHUNK):
            vectors = network({name: rows[start : start + CHUNK] for name, rows in inputs.items()}).float()
            out.append(normalize(vectors, dim=-1).cpu().numpy())
    return np.concatenate(out)
