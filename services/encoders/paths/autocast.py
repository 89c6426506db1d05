"""Matrix products and convolutions in half precision, sums and norms in single: tensor cores, AMX, AVX-512 BF16.

The weights stay in float32, so nothing else in the network notices. A processor without such instructions gets slower.
"""

from __future__ import annotations

import torch

from services.encoders.network import Image, Network


def build(image: Image, network: Network, device: torch.device, pixels: torch.Tensor, dtype: str) -> Image:
    """dtype: ``bfloat16`` or ``float16``."""

    def run(given: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, dtype=getattr(torch, dtype)):
            return image(given)

    return run
