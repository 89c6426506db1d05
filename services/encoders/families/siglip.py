"""SigLIP in the Hugging Face layout: MedSigLIP, XraySigLIP.

The vectors are the pooler outputs of the two towers. The text tower reads its last position, whatever stands there:
texts are padded to its full length, with no mask, as it was trained; unpadded they give other vectors.

A local vector is what the attention pool would give if it attended to that patch alone: values, output projection and
MLP, no mixing, in the manner of MaskCLIP (Zhou et al. 2022, arXiv 2112.01071). So it lies in the space of the texts.
"""

from __future__ import annotations

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from transformers import SiglipConfig, SiglipModel

from services.encoders import google
from services.encoders.checkpoint import broken
from services.encoders.hub_layout import load_model, read_config, read_recipe, weights_of
from services.encoders.hub_text import read_tokenizer, text_tower
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels, Recipe


def load(at: Checkpoint) -> TorchEncoder:
    """Options: ``preprocessing``, ``hub`` (what the folder says; default) or Google's ``card`` or ``vertex``;
    ``levels``, ``display`` (default) or ``full``.

    Raises FAILED_PRECONDITION for an unfit folder.
    """
    config = _config(at)
    vision, words = config.vision_config, config.text_config
    recipe = _recipe(at, int(vision.image_size))
    model = load_model(SiglipModel, at.folder, config)
    side = int(vision.image_size) // int(vision.patch_size)

    def patches(pixels: torch.Tensor) -> torch.Tensor:
        each = model.vision_model(pixel_values=pixels).last_hidden_state
        alone = each.flatten(0, 1)[:, None]
        return model.vision_model.head(alone).unflatten(0, (len(pixels), side, side))

    return TorchEncoder(at, Network(
        module=model,
        weights=weights_of(at.folder),
        recipe=recipe,
        image=lambda pixels: model.vision_model(pixel_values=pixels).pooler_output,
        pooling="siglip-attention-pool",
        dim=int(vision.hidden_size),
        text=text_tower(
            at, read_tokenizer(at, int(words.vocab_size)), inputs=("input_ids",),
            embed=lambda part: model.text_model(input_ids=part["input_ids"]).pooler_output,
            length=int(words.max_position_embeddings), padding="max_length", lower=True,
        ),
        patches=patches,
        patches_read_text=True,
        logit_scale=float(model.logit_scale.exp()),
    ))  # fmt: skip


def _config(at: Checkpoint) -> SiglipConfig:
    config = read_config(SiglipConfig, at.folder)
    if not config.vision_config.vision_use_head:
        raise broken("this checkpoint's image tower has no pooling head and so no vector of a film")
    if config.text_config.projection_size != config.vision_config.hidden_size:
        raise broken("this checkpoint's towers end in spaces of different sizes; fetch config.json again")
    return config


def _recipe(at: Checkpoint, size: int) -> Recipe:
    """`size` is the configuration's: names of checkpoints lie about it."""
    variant = at.option("preprocessing", "hub", *google.VARIANTS)
    levels = Levels(at.option("levels", "display", "full"))
    return read_recipe(at.folder, levels, size) if variant == "hub" else google.recipe(variant, size, levels)
