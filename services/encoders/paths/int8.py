"""Linear layers in 8-bit integers: weights per output channel, activations per batch as they come. Processors only."""

from __future__ import annotations

import torch
from torch.ao.nn.quantized.dynamic import Linear
from torch.ao.quantization import per_channel_dynamic_qconfig

from services.encoders.network import Image, Network
from services.encoders.paths.linears import replace


def build(image: Image, network: Network, device: torch.device, pixels: torch.Tensor) -> Image:
    """Raises FAILED_PRECONDITION where there is nothing to gain."""
    replace(image, network, pixels, _quantised)
    return image


def _quantised(layer: torch.nn.Linear) -> Linear:
    layer.qconfig = per_channel_dynamic_qconfig  # type: ignore[assignment] - where the library looks for it
    return Linear.from_float(layer)
