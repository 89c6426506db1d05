"""CLIP in the Hugging Face layout: XrayCLIP, and any ``CLIPModel`` of one's own.

The vectors are the pooled outputs of the towers after their projections; the text tower's pool is the place of the end
token, which hides behind the causal mask whatever is padded after it.

A local vector is its patch after a last block in which every place attends to itself alone, then the head that is
otherwise put on the class token: MaskCLIP (Zhou et al. 2022, arXiv 2112.01071). So it lies in the space of the texts.
"""

from __future__ import annotations

from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from transformers import CLIPConfig, CLIPModel

from services.encoders.checkpoint import broken
from services.encoders.hub_layout import load_model, read_config, read_recipe, weights_of
from services.encoders.hub_text import read_tokenizer, text_tower
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels

_ARGMAX = 2  # configurations of older transformers say so, and mean: the end token is the highest number of a text


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``. Raises FAILED_PRECONDITION for an unfit folder."""
    config = read_config(CLIPConfig, at.folder)
    size, patch = int(config.vision_config.image_size), int(config.vision_config.patch_size)
    recipe = read_recipe(at.folder, Levels(at.option("levels", "display", "full")), size)
    tokenizer = _tokenizer(at, config.text_config)
    model = load_model(CLIPModel, at.folder, config)

    def patches(pixels: torch.Tensor) -> torch.Tensor:
        seen = model.vision_model(pixel_values=pixels, output_hidden_states=True)
        block = model.vision_model.encoder.layers[-1]
        each = seen.hidden_states[-2][:, 1:]
        each = each + block.self_attn.out_proj(block.self_attn.v_proj(block.layer_norm1(each)))
        each = each + block.mlp(block.layer_norm2(each))
        each = model.visual_projection(model.vision_model.post_layernorm(each))
        return each.unflatten(1, (size // patch, size // patch))

    return TorchEncoder(at, Network(
        module=model,
        weights=weights_of(at.folder),
        recipe=recipe,
        image=lambda pixels: model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output),
        pooling="clip-projection",
        dim=int(config.projection_dim),
        text=text_tower(
            at, tokenizer, length=int(config.text_config.max_position_embeddings), padding="longest",
            embed=lambda part: model.text_projection(model.text_model(**part).pooler_output),
        ),
        patches=patches,
        patches_read_text=True,
        logit_scale=float(model.logit_scale.exp()),
    ))  # fmt: skip


def _tokenizer(at: Checkpoint, text: Any) -> Any:
    """Raises FAILED_PRECONDITION where it does not write the token that the tower looks for: the tower would then read
    every text at its first place, and find them all alike."""
    tokenizer = read_tokenizer(at, int(text.vocab_size))
    numbers = tokenizer(["effusion"])["input_ids"][0]
    end = max(numbers) if text.eos_token_id == _ARGMAX else text.eos_token_id
    if numbers[-1] != end:
        raise broken("the checkpoint's tokenizer and config.json differ in the end of a text; fetch both again")
    return tokenizer
