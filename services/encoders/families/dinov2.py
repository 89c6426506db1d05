"""DINOv2 in the Hugging Face layout: RAD-DINO, its MAIRA-2 sibling, and the bundled ``hilum-cxr-dino``.

The vector is the CLS token of the last layer after its norm, as the authors' package takes it; the model reads no
words. RAD-DINO was trained on films stretched from minimum to maximum without a window: option ``levels: full``.
"""

from __future__ import annotations

from pathlib import Path

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from transformers import Dinov2Config, Dinov2Model

from services.encoders.checkpoint import broken, read_json
from services.encoders.hub_layout import CONFIG, load_model, read_recipe, weights_of
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``. Raises FAILED_PRECONDITION for an unfit folder."""
    model = load_model(Dinov2Model, at.folder, _config(at.folder))
    recipe = read_recipe(at.folder, Levels(at.options.get("levels", "display")))
    patch = int(model.config.patch_size)

    def tokens(pixels: torch.Tensor) -> torch.Tensor:
        return model(pixel_values=pixels).last_hidden_state

    def patches(pixels: torch.Tensor) -> torch.Tensor:
        return tokens(pixels)[:, 1:].unflatten(1, (pixels.shape[2] // patch, pixels.shape[3] // patch))

    return TorchEncoder(at, Network(
        module=model, weights=weights_of(at.folder), recipe=recipe, image=lambda pixels: tokens(pixels)[:, 0],
        pooling="cls", dim=int(model.config.hidden_size), patches=patches,
    ))  # fmt: skip


def build_model(folder: Path) -> Dinov2Model:
    """The architecture that the folder describes, weights at random, float32. Raises FAILED_PRECONDITION."""
    return Dinov2Model._from_config(_config(folder), dtype=torch.float32)


def _config(folder: Path) -> Dinov2Config:
    config = read_json(folder / CONFIG)
    if config.get("model_type") != "dinov2":
        raise broken("this loader reads DINOv2 checkpoints only; config.json says another model_type")
    return Dinov2Config.from_dict(config)
