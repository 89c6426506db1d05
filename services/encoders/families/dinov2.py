"""DINOv2 in the Hugging Face layout, with registers or without: RAD-DINO, its MAIRA-2 sibling, and the bundled
``hilum-cxr-dino``.

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
import transformers
from transformers import PreTrainedConfig, PreTrainedModel

from services.encoders.checkpoint import read_json
from services.encoders.hub_layout import CONFIG, load_model, read_config, read_recipe, weights_of
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels

_KINDS = {"dinov2": "Dinov2", "dinov2_with_registers": "Dinov2WithRegisters"}


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``. Raises FAILED_PRECONDITION for an unfit folder."""
    cls, config = _described(at.folder)
    model = load_model(cls, at.folder, config)
    recipe = read_recipe(at.folder, Levels(at.option("levels", "display", "full")))
    patch, first = int(config.patch_size), 1 + int(getattr(config, "num_register_tokens", 0))

    def tokens(pixels: torch.Tensor) -> torch.Tensor:
        return model(pixel_values=pixels).last_hidden_state

    def patches(pixels: torch.Tensor) -> torch.Tensor:
        return tokens(pixels)[:, first:].unflatten(1, (pixels.shape[2] // patch, pixels.shape[3] // patch))

    return TorchEncoder(at, Network(
        module=model, weights=weights_of(at.folder), recipe=recipe, image=lambda pixels: tokens(pixels)[:, 0],
        pooling="cls", dim=int(model.config.hidden_size), patches=patches,
    ))  # fmt: skip


def build_model(folder: Path) -> PreTrainedModel:
    """The architecture that the folder describes, weights at random, float32. Raises FAILED_PRECONDITION."""
    cls, config = _described(folder)
    return cls._from_config(config, dtype=torch.float32)


def _described(folder: Path) -> tuple[type[PreTrainedModel], PreTrainedConfig]:
    kind = _KINDS.get(read_json(folder / CONFIG).get("model_type"), "Dinov2")
    return getattr(transformers, f"{kind}Model"), read_config(getattr(transformers, f"{kind}Config"), folder)
