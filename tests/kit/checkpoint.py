"""A tiny image-only checkpoint in the hub's layout, in a millisecond and with weights of its own for every seed."""

from __future__ import annotations

from pathlib import Path

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from transformers import BitImageProcessor, Dinov2Config, Dinov2Model


def dinov2(at: Path, seed: int = 0, size: int = 56, mean: float = 0.5307) -> Path:
    """RAD-DINO's files in small, with random weights."""
    torch.manual_seed(seed)
    Dinov2Model(Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=56, patch_size=14,
        initializer_range=0.2,
    )).save_pretrained(at)  # fmt: skip
    BitImageProcessor(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}, image_mean=[mean] * 3,
        image_std=[0.2583] * 3, resample=3,
    ).save_pretrained(at)  # fmt: skip
    return at
