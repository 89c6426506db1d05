"""A fitted probe as a file that others can apply: weights as safetensors, what they are of in its header. No code.

    found = keep.read(path)["nih/edema"]
    1 / (1 + np.exp(-(vectors @ found.weight + found.bias)))     # vectors: (N, D), L2-normalised

As many films had the finding as had it not, so a promise is right where one film in two has it; elsewhere it orders
films, and log(share / (1 − share)) is to be added to the bias.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from services.analytics.probe.classify import Linear
from services.core.errors import ErrorCode, HilumError

SCHEMA = 1
INPUT = "L2-normalised vectors of the model; of several tokens the mean of each token normalised, normalised again"


def write(path: Path, model: str, fingerprint: str, probes: Mapping[str, tuple[Linear, Mapping[str, Any]]]) -> None:
    """probes: ``dataset/label`` → its weights, and how it was made and measured."""
    tensors = {}
    for name, (linear, _) in probes.items():
        tensors[f"{name}/weight"] = np.ascontiguousarray(linear.weight, dtype=np.float64)
        tensors[f"{name}/bias"] = np.array([linear.bias])
    about = {
        "schema": SCHEMA, "model": model, "fingerprint": fingerprint, "input": INPUT,
        "probes": {name: {**told, "penalty": linear.penalty} for name, (linear, told) in probes.items()},
    }  # fmt: skip
    save_file(tensors, path, {"hilum": json.dumps(about, allow_nan=False)})


def about(path: Path) -> dict[str, Any]:
    """Which model's vectors the probes are of, and how each was made and measured."""
    try:
        with safe_open(path, "np") as file:
            found: dict[str, Any] = json.loads((file.metadata() or {})["hilum"])
        if found["schema"] != SCHEMA:
            raise ValueError
        return found
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, "this file holds no probes that `hilum analyze probe --save` kept"
        ) from error


def read(path: Path) -> dict[str, Linear]:
    """``dataset/label`` → the probe. Raises FAILED_PRECONDITION for a file that holds none."""
    named = about(path)["probes"]
    with safe_open(path, "np") as file:
        return {
            name: Linear(
                file.get_tensor(f"{name}/weight"), float(file.get_tensor(f"{name}/bias")[0]), float(told["penalty"])
            )
            for name, told in named.items()
        }
