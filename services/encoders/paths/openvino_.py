"""OpenVINO on the processor, in float32."""

from __future__ import annotations

import threading

import openvino
import torch

from services.encoders.network import Image, Network
from services.encoders.paths.exported import exported


def build(image: Image, network: Network, device: torch.device, pixels: torch.Tensor) -> Image:
    """One request object per thread: they cannot be shared."""
    model = openvino.convert_model(exported(image, network, pixels))
    settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(model, "CPU", settings)
    mine = threading.local()

    def run(given: torch.Tensor) -> torch.Tensor:
        if not hasattr(mine, "request"):
            mine.request = compiled.create_infer_request()
        found = mine.request.infer([given.contiguous().numpy()])
        return torch.from_numpy(found[0].copy())  # the request writes its next answer into the same memory

    return run
