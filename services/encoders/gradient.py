"""Maps from a network's own gradient: what each pixel adds to a similarity on the way from grey to the film.

Integrated gradients (Sundararajan, Taly and Yan, ICML 2017), summed over the cells of a grid: the cells add up to the
similarity of the film less that of the flat grey one. It asks nothing of the architecture but a gradient, so one way
serves convolutions and transformers. Captum has it, too, and brings a plotting library with it; this is all we need.
"""

from __future__ import annotations

# isort: off
import services.encoders.offline  # noqa: F401
# isort: on

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from services.core.errors import ErrorCode, HilumError
from services.encoders.base import Encoder, Prepared
from services.encoders.network import TorchEncoder
from services.encoders.saliency import CELLS, Grid

STEPS = 8


def by_gradient(encoder: Encoder, film: Prepared, target: NDArray[np.float32], steps: int = STEPS) -> Grid:
    """What each place adds to the similarity to `target`: ``(CELLS, CELLS) float32``.

    Raises FAILED_PRECONDITION for an encoder that gives no gradient.
    """
    if not isinstance(encoder, TorchEncoder):
        raise _none(encoder)
    grey = torch.from_numpy(np.array(film, np.float32))[None].to(encoder.device)
    wanted = torch.from_numpy(np.atleast_2d(target).astype(np.float32)).to(encoder.device)
    flat = grey.mean().expand_as(grey)
    total = torch.zeros_like(grey)
    for step in range(steps):
        part = flat + (grey - flat) * ((step + 0.5) / steps)
        total += _gradient(encoder, part, wanted)
    added = (grey - flat) * total / steps
    cells = torch.nn.functional.adaptive_avg_pool2d(added, CELLS)[0] * (added[0].numel() / CELLS**2)
    return cells.cpu().numpy().astype(np.float32)


def _gradient(encoder: TorchEncoder, grey: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Of the similarity as searches compute it, with respect to the grey values."""
    with torch.enable_grad():
        grey = grey.clone().requires_grad_()
        vectors = normalize(encoder.network.image(encoder.pixels(grey)).float(), dim=-1)
        tokens = vectors.reshape(-1, vectors.shape[-1])
        score = (target @ tokens.T).max(1).values.mean()
        if not score.requires_grad:
            raise _none(encoder)
        return torch.autograd.grad(score, grey)[0]


def _none(encoder: Encoder) -> HilumError:
    return HilumError(ErrorCode.FAILED_PRECONDITION, f"{encoder.spec.name} gives no gradient; use the method hiding")
