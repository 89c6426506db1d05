"""An image tower out of a bigger checkpoint: its tensors alone are read, the rest of the model never is.

Every shard's header is looked at (a few kilobytes); of those that hold the tower, its tensors are read. A folder may
therefore hold only those shards. They are what the fingerprint digests, so that a change of any tensor of the tower
changes it (and so does a change of the language model in the same shard: a film is then encoded anew for nothing,
which is the harmless mistake of the two).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from services.encoders.checkpoint import broken, weight_files


def read_tower(folder: Path, prefixes: Sequence[str]) -> tuple[dict[str, torch.Tensor], list[Path]]:
    """Tensors whose names begin with one of ``prefixes``, without it, and the shards that hold them.

    The first prefix that fits is taken off: put the longer before the shorter.
    Raises FAILED_PRECONDITION when no tensor has any of them, or a shard cannot be read.
    """
    tensors: dict[str, torch.Tensor] = {}
    shards: list[Path] = []
    for path in weight_files(folder, "model.safetensors"):
        try:
            with safe_open(path, framework="pt") as shard:
                names = {name: found for name in shard.keys() if (found := _prefix(name, prefixes))}  # noqa: SIM118
                tensors |= {name[len(prefix) :]: shard.get_tensor(name) for name, prefix in names.items()}
        except (SafetensorError, OSError) as error:
            raise broken("a shard of the checkpoint's weights cannot be read; fetch it again") from error
        if names:
            shards.append(path)
    if not tensors:
        raise broken(f"the checkpoint's weights have no image tower (no tensor begins with {prefixes[-1]}); fetch the "
                     "shards that hold it")  # fmt: skip
    return tensors, shards


def _prefix(name: str, prefixes: Sequence[str]) -> str:
    return next((prefix for prefix in prefixes if name.startswith(prefix)), "")
