"""A network as a graph that other runtimes read."""

from __future__ import annotations

import torch
from torch.export import Dim, ExportedProgram, export

from services.encoders.network import Image, Network


class _Films(torch.nn.Module):
    """What films go through, and nothing of the text tower."""

    def __init__(self, image: Image, module: torch.nn.Module) -> None:
        super().__init__()
        self.module, self._image = module, image

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._image(pixels)


def exported(image: Image, network: Network, pixels: torch.Tensor) -> ExportedProgram:
    """For any number of films. Raises what torch.export raises for a network that it cannot follow."""
    films = _Films(image, network.module).eval()
    return export(films, (pixels,), dynamic_shapes=({0: Dim("films", min=1, max=1024)},), strict=False)
