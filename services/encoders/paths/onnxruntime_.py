"""ONNX Runtime on the processor."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnxruntime
import onnxscript  # noqa: F401 - torch's exporter needs it and says so late
import torch

from services.encoders.network import Image, Network
from services.encoders.paths.exported import exported


def build(image: Image, network: Network, device: torch.device, pixels: torch.Tensor) -> Image:
    """The weights pass through a temporary folder: models of more than 2 GB cannot be handed over in memory."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # cores are shared with decoding
    with tempfile.TemporaryDirectory(prefix="hilum-onnx-") as folder:
        file = Path(folder) / "model.onnx"
        program = torch.onnx.export(exported(image, network, pixels), (), dynamo=True, verbose=False)
        program.save(file, external_data=True)
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (name,) = (given.name for given in session.get_inputs())

    def run(given: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {name: given.contiguous().numpy()})[0])

    return run
