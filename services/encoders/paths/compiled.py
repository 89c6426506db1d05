"""torch.compile: operations fused into kernels made for this network, which takes up to minutes in every process.

A processor needs a C++ compiler for it.
"""

from __future__ import annotations

import torch

from services.encoders.network import Image, Network


def build(image: Image, network: Network, device: torch.device, pixels: torch.Tensor) -> Image:
    """Raises what the compiler raises, now and not when the first film comes."""
    compiled = torch.compile(image)
    with torch.inference_mode():
        for count in (len(pixels), len(pixels) + 1):  # the second size makes the kernels take any
            compiled(pixels[:1].repeat(count, 1, 1, 1))
    return compiled
