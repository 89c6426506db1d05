"""Checkpoint folders: what is in them, its digest, and loading that admits no gap."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from services.core.errors import ErrorCode, HilumError


def broken(message: str) -> HilumError:
    """A checkpoint that cannot be used; the message names no path."""
    return HilumError(ErrorCode.FAILED_PRECONDITION, message)


def sha256(*paths: Path) -> str:
    """Digest of the files' bytes, one after another, hex."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def read_json(path: Path) -> dict:
    """A configuration file. Raises FAILED_PRECONDITION when it is missing or is not a JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise broken(f"the checkpoint has no readable {path.name}; fetch it again") from error
    if not isinstance(value, dict):
        raise broken(f"the checkpoint's {path.name} is not a JSON object; fetch it again")
    return value


def weight_files(folder: Path, *names: str) -> list[Path]:
    """The safetensors files of a checkpoint: the first of ``names`` that exists, or its numbered shards.

    Raises FAILED_PRECONDITION when there are none: pickled weights are never read.
    """
    for name in names:
        if (folder / name).is_file():
            return [folder / name]
        shards = sorted(folder.glob(re.sub(r"\.safetensors$", "-*-of-*.safetensors", name)))
        if shards:
            return shards
    raise broken(f"the checkpoint has no {names[0]}; pickled weights (.bin, .pt) are not loaded, convert them first")


def load_strict(module: torch.nn.Module, paths: Iterable[Path], ignored: Iterable[str] = ()) -> None:
    """Fill every tensor of ``module`` in float32 from safetensors, and find no tensor without a place.

    ``ignored`` names tensors that old files carry and nothing uses. Raises FAILED_PRECONDITION otherwise.
    """
    tensors: dict[str, torch.Tensor] = {}
    for path in paths:
        try:
            tensors |= load_file(path)
        except (SafetensorError, OSError) as error:
            raise broken("the checkpoint's weights cannot be read; fetch them again") from error
    wanted = module.state_dict()
    for name in ignored:
        if name not in wanted:
            tensors.pop(name, None)
    refuse_gaps(
        wanted.keys() - tensors.keys(),
        tensors.keys() - wanted.keys(),
        {name for name in wanted.keys() & tensors.keys() if wanted[name].shape != tensors[name].shape},
    )
    module.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}, strict=True)


def refuse_gaps(missing: Iterable[str], unexpected: Iterable[str], misshapen: Iterable[str]) -> None:
    """Raise FAILED_PRECONDITION when a checkpoint and its architecture differ in any tensor."""
    kinds = {"missing": sorted(missing), "unexpected": sorted(unexpected), "wrongly shaped": sorted(misshapen)}
    found = [f"{len(names)} {kind} (first: {names[0]})" for kind, names in kinds.items() if names]
    if found:
        raise broken(f"the checkpoint does not fit its architecture: {'; '.join(found)} tensors")
