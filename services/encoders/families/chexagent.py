"""The image towers of CheXagent-2-3b and CheXagent-8b, out of their language models' checkpoints; films only.

CheXagent-2-3b: XraySigLIP (ViT-L/16, 512 pixels), trained further, in ``model.visual.model``. Its language model reads
the last block before the tower's final norm, so the vector is the mean of those patches. CheXagent-8b: an EVA ViT (40
layers, 448 pixels) in ``vision_model``, whose Q-Former reads all tokens after the final norm. The authors of neither
define a vector for a whole film: both poolings are this project's choice. Neither reads words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from transformers import Blip2VisionConfig, Blip2VisionModel, SiglipVisionConfig, SiglipVisionModel

from services.encoders.checkpoint import broken, fill, read_json
from services.encoders.hub_layout import CONFIG, read_recipe
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels, Recipe, Squash
from services.encoders.towers import read_tower

SIGLIP, EVA = "model.visual.model.", "vision_model."
HEAD_WIDTH = 64  # of every ViT-L; the checkpoint's tensors do not say it, and its config has no room for it


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``; CheXagent-8b also ``pooling``: ``mean`` (default), ``cls``.

    Raises FAILED_PRECONDITION for an unfit folder, INVALID_ARGUMENT for another pooling.
    """
    config = read_json(at.folder / CONFIG)
    levels = Levels(at.option("levels", "display", "full"))
    if config.get("model_type") == "chexagent":
        return _eva(at, config.get("vision_config") or {}, levels)
    if isinstance(config.get("visual"), dict):
        return _siglip(at, config["visual"], levels)
    raise broken("this loader reads CheXagent-2-3b and CheXagent-8b only; config.json describes another model")


def _siglip(at: Checkpoint, visual: Mapping[str, Any], levels: Levels) -> TorchEncoder:
    tensors, shards = read_tower(at.folder, [SIGLIP])
    tensors = {name: value for name, value in tensors.items() if not name.startswith("head.")}  # computed, then unused
    tower = SiglipVisionModel(_shape_of(tensors))
    if visual.get("image_size") != tower.config.image_size:
        raise broken("config.json and the image tower differ in the size of a picture; fetch the checkpoint again")
    fill(tower, tensors)
    tower.post_layernorm = torch.nn.Identity()  # the language model reads what comes before it
    side = tower.config.image_size // tower.config.patch_size

    def patches(pixels: torch.Tensor) -> torch.Tensor:
        return tower(pixel_values=pixels).last_hidden_state

    return TorchEncoder(at, Network(
        module=tower,
        weights=shards,
        recipe=Recipe(levels, Squash(tower.config.image_size)),
        image=lambda pixels: patches(pixels).mean(1),
        pooling="mean-of-patches-before-norm",
        dim=int(tower.config.hidden_size),
        patches=lambda pixels: patches(pixels).unflatten(1, (side, side)),
    ))  # fmt: skip


def _shape_of(tensors: Mapping[str, torch.Tensor]) -> SiglipVisionConfig:
    """The tower's shape, from its tensors: the checkpoint's config.json only names another repository for it."""
    layers = {int(found[1]) for name in tensors if (found := re.match(r"encoder\.layers\.(\d+)\.", name))}
    try:
        kernel, places = (tensors[f"embeddings.{n}_embedding.weight"].shape for n in ("patch", "position"))
        width, patch = kernel[0], kernel[-1]
        inner = tensors["encoder.layers.0.mlp.fc1.weight"].shape[0]
    except KeyError as error:
        raise broken("the checkpoint's image tower lacks tensors; fetch all shards that hold it") from error
    return SiglipVisionConfig(
        hidden_size=width, intermediate_size=inner, num_hidden_layers=len(layers),
        num_attention_heads=max(width // HEAD_WIDTH, 1), image_size=round(places[0] ** 0.5) * patch, patch_size=patch,
        vision_use_head=False,
    )  # fmt: skip


def _eva(at: Checkpoint, vision: Mapping[str, Any], levels: Levels) -> TorchEncoder:
    pooling = at.option("pooling", "mean", "cls")
    tensors, shards = read_tower(at.folder, [EVA])
    tower = Blip2VisionModel(Blip2VisionConfig.from_dict({**vision, "model_type": "blip_2_vision_model"}))
    fill(tower, tensors)
    side = int(tower.config.image_size) // int(tower.config.patch_size)

    def tokens(pixels: torch.Tensor) -> torch.Tensor:
        return tower(pixel_values=pixels).last_hidden_state

    def image(pixels: torch.Tensor) -> torch.Tensor:
        return tokens(pixels)[:, 1:].mean(1) if pooling == "mean" else tokens(pixels)[:, 0]

    return TorchEncoder(at, Network(
        module=tower,
        weights=shards,
        recipe=read_recipe(at.folder, levels),
        image=image,
        pooling={"mean": "mean-of-patches", "cls": "cls"}[pooling],
        dim=int(tower.config.hidden_size),
        patches=lambda pixels: tokens(pixels)[:, 1:].unflatten(1, (side, side)),
    ))  # fmt: skip
