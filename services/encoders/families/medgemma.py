"""MedGemma's image tower in the Hugging Face layout of ``Gemma3ForConditionalGeneration``; films only.

The language model is neither loaded nor needed. The authors define no vector for a whole film (their card names
MedSigLIP for that); the mean of the tower's patches, after its norm, is this project's choice. It reads no words.
"""

from __future__ import annotations

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from transformers import SiglipVisionConfig, SiglipVisionModel

from services.encoders.checkpoint import broken, fill, read_json
from services.encoders.hub_layout import CONFIG, read_recipe
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels
from services.encoders.towers import read_tower

# Layouts of transformers 4.49–4.51, 4.52 on, and 5; longer before shorter.
PREFIXES = ("model.vision_tower.vision_model.", "model.vision_tower.", "vision_tower.vision_model.", "vision_tower.")


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``. Raises FAILED_PRECONDITION for an unfit folder."""
    config = read_json(at.folder / CONFIG)
    if config.get("model_type") != "gemma3" or not isinstance(config.get("vision_config"), dict):
        raise broken("this loader reads Gemma 3 checkpoints with an image tower only; config.json describes another")
    tensors, shards = read_tower(at.folder, PREFIXES)
    tower = SiglipVisionModel(SiglipVisionConfig.from_dict({**config["vision_config"], "vision_use_head": False}))
    fill(tower, tensors)
    side = int(tower.config.image_size) // int(tower.config.patch_size)

    def patches(pixels: torch.Tensor) -> torch.Tensor:
        return tower(pixel_values=pixels).last_hidden_state

    return TorchEncoder(at, Network(
        module=tower,
        weights=shards,
        recipe=read_recipe(at.folder, Levels(at.option("levels", "display", "full"))),
        image=lambda pixels: patches(pixels).mean(1),
        pooling="mean-of-patches",
        dim=int(tower.config.hidden_size),
        patches=lambda pixels: patches(pixels).unflatten(1, (side, side)),
    ))  # fmt: skip
