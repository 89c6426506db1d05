"""Vision transformers fine-tuned as classifiers, in the Hugging Face layout: ``ViTForImageClassification``.

The vector is the CLS token after the last norm, which is what the classifier reads; the classifier itself is not used.
Such checkpoints hold no pooler: the library would fill one in at random, and every load would give other vectors.
"""

from __future__ import annotations

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from transformers import ViTConfig, ViTModel

from services.encoders.hub_layout import load_model, read_config, read_recipe, weights_of
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``. Raises FAILED_PRECONDITION for an unfit folder."""
    config = read_config(ViTConfig, at.folder)
    side = int(config.image_size) // int(config.patch_size)
    recipe = read_recipe(at.folder, Levels(at.option("levels", "display", "full")), int(config.image_size))
    model = load_model(ViTModel, at.folder, config, unused=("classifier.", "pooler."), add_pooling_layer=False)

    def tokens(pixels: torch.Tensor) -> torch.Tensor:
        return model(pixel_values=pixels).last_hidden_state

    return TorchEncoder(at, Network(
        module=model, weights=weights_of(at.folder), recipe=recipe, image=lambda pixels: tokens(pixels)[:, 0],
        pooling="cls", dim=int(config.hidden_size),
        patches=lambda pixels: tokens(pixels)[:, 1:].unflatten(1, (side, side)),
    ))  # fmt: skip
