"""DINOv3's vision transformers in the Hugging Face layout.

The vector is the CLS token after the last norm (the model's ``pooler_output``); the model reads no words. Register
tokens stand between the CLS token and the patches. Positions are rotary: any multiple of the patch size is an input.
"""

from __future__ import annotations

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from transformers import DINOv3ViTConfig, DINOv3ViTModel

from services.encoders.hub_layout import load_model, read_config, read_recipe, weights_of
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``. Raises FAILED_PRECONDITION for an unfit folder."""
    config = read_config(DINOv3ViTConfig, at.folder)
    model = load_model(DINOv3ViTModel, at.folder, config)
    patch, first = int(config.patch_size), 1 + int(config.num_register_tokens)

    def tokens(pixels: torch.Tensor) -> torch.Tensor:
        return model(pixel_values=pixels).last_hidden_state

    def patches(pixels: torch.Tensor) -> torch.Tensor:
        return tokens(pixels)[:, first:].unflatten(1, (pixels.shape[2] // patch, pixels.shape[3] // patch))

    return TorchEncoder(at, Network(
        module=model,
        weights=weights_of(at.folder),
        recipe=read_recipe(at.folder, Levels(at.option("levels", "display", "full"))),
        image=lambda pixels: tokens(pixels)[:, 0],
        pooling="cls",
        dim=int(config.hidden_size),
        patches=patches,
    ))  # fmt: skip
