"""Checkpoint folders: what is in them, its digest, and loading that admits no gap."""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from services.core.errors import ErrorCode, HilumError

UNREADABLE = (  # what the libraries raise for files that are cut off, damaged, made up, or hold more than tensors
    SafetensorError, OSError, RuntimeError, EOFError, pickle.UnpicklingError, AttributeError, IndexError, KeyError,
    TypeError, ValueError,
)  # fmt: skip

torch.serialization.add_safe_globals([argparse.Namespace])  # the settings of a training beside its tensors: plain data


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
    """The weight files of a checkpoint: the first of ``names`` that exists, or its numbered shards.

    Raises FAILED_PRECONDITION when there are none.
    """
    for name in names:
        if (folder / name).is_file():
            return [folder / name]
        shards = sorted(folder.glob(re.sub(r"(\.\w+)$", r"-*-of-*\1", name)))
        if shards:
            return shards
    raise broken(f"the checkpoint has no {' or '.join(names)}; fetch it again")


def sole_file(folder: Path, *endings: str) -> Path:
    """The one file of a folder with one of these endings, for weights that their publisher named freely.

    Raises FAILED_PRECONDITION when there is none, or more than one.
    """
    found = sorted(path for path in folder.iterdir() if path.suffix in endings and path.is_file())
    if len(found) != 1:
        raise broken(f"the checkpoint's folder must hold one {' or '.join(endings)} file; it holds {len(found)}")
    return found[0]


def read_content(path: Path) -> Any:
    """What a weight file holds: safetensors, whatever the file is called, or torch's own format, weights only.

    Nothing in a file is executed: a pickle that holds more than tensors and plain containers is refused.
    Raises FAILED_PRECONDITION.
    """
    try:
        if path.suffix == ".safetensors" or not _is_torch(path):
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise broken("the checkpoint's weights cannot be read safely; fetch them again or convert them") from error


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weight file; those of training checkpoints may lie under ``state_dict`` or ``model``.

    Raises FAILED_PRECONDITION, as `read_content`.
    """
    return tensors_of(read_content(path))


def tensors_of(content: Any) -> dict[str, torch.Tensor]:
    """The table of tensors in what a weight file holds. Raises FAILED_PRECONDITION when there is none."""
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise broken("the checkpoint's weights are no table of tensors; convert them to safetensors")
    return {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}


def _is_torch(path: Path) -> bool:
    """Zip archives and bare pickles are torch's; some publishers name a safetensors file ``.pt``."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04")


def load_strict(module: torch.nn.Module, paths: Iterable[Path], ignored: Iterable[str] = ()) -> None:
    """Fill every tensor of ``module`` in float32, and find no tensor without a place.

    ``ignored`` names tensors that old files carry and nothing uses. Raises FAILED_PRECONDITION otherwise.
    """
    tensors: dict[str, torch.Tensor] = {}
    for path in paths:
        tensors |= read_tensors(path)
    fill(module, tensors, ignored)


def fill(module: torch.nn.Module, tensors: dict[str, torch.Tensor], ignored: Iterable[str] = ()) -> None:
    """The same from tensors at hand, for families that rename them first."""
    wanted = module.state_dict()
    tensors = {name: value for name, value in tensors.items() if name in wanted or name not in set(ignored)}
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
