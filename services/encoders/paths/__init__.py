"""Ways for films through a network: plain float32, and faster ones that must give the same vectors.

A path is named by its steps, as in ``channels-last+bfloat16+compile``; each step is a module here whose

    build(image, network, device, pixels) -> Image

takes the way so far, on example pixels ``(2, C, S, S) float32`` normalised, and may change the network's modules for
good: whoever compares two paths loads the encoder twice. Words take no path; they stay in float32.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module

import numpy as np
import torch

from services.core.errors import ErrorCode, HilumError, invalid
from services.encoders.network import TorchEncoder
from services.encoders.paths.probe import probe_films

EAGER = "eager"
STEPS: Mapping[str, tuple[str, ...]] = {  # step → its module, and what its `build` is told besides
    "channels-last": ("channels_last",),
    "bfloat16": ("autocast", "bfloat16"),
    "float16": ("autocast", "float16"),
    "onednn": ("onednn",),
    "int8": ("int8",),
    "compile": ("compiled",),
    "onnxruntime": ("onnxruntime_",),
    "openvino": ("openvino_",),
}


def candidates(device: torch.device) -> list[str]:
    """Which paths are worth measuring on this kind of device."""
    if device.type == "cuda":
        halves = ["bfloat16", "float16"] if torch.cuda.is_bf16_supported(including_emulation=False) else ["float16"]
        return [*halves, *(f"{way}{halves[0]}+compile" for way in ("", "channels-last+"))]
    if device.type == "mps":
        return ["float16"]
    fast_half = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return ["channels-last", "onednn", *(["bfloat16"] if fast_half else []), "int8", "onnxruntime", "openvino"]


def defaults(device: torch.device) -> list[str]:
    """What an accelerator's encoders try, in this order, where nobody has measured; a processor's stay eager."""
    return [path for path in candidates(device) if path in ("bfloat16", "float16")] if device.type == "cuda" else []


def take(encoder: TorchEncoder, path: str) -> None:
    """Send the encoder's films through `path` from now on. Raises INVALID_ARGUMENT for an unknown step, and
    FAILED_PRECONDITION where a library is missing; what else a library raises when it cannot have this network."""
    image, network, device = encoder.network.image, encoder.network, encoder.device
    pixels = encoder.pixels(torch.from_numpy(_example(encoder)).to(device))
    for step in path.split("+") if path != EAGER else ():
        if step not in STEPS:
            raise invalid(f"there is no such path; its steps are: {', '.join(STEPS)}")
        module, *told = STEPS[step]
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries about themselves
            image = _builder(module)(image, network, device, pixels, *told)
    encoder.take(path, image)


def _builder(module: str) -> Callable[..., Callable[[torch.Tensor], torch.Tensor]]:
    try:
        return import_module(f"services.encoders.paths.{module}").build
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, f"{missing} is not installed; pip install 'hilum[accelerate]'"
        ) from error


def _example(encoder: TorchEncoder) -> np.ndarray:
    return np.stack([encoder.preprocess(film) for film in probe_films(2)])
