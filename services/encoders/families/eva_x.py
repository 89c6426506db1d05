"""EVA-X: self-supervised vision transformers for chest films (hustvl/EVA-X), tiny, small and base. It reads no words.

The architecture is EVA-02's (rotary positions, SwiGLU; the base model with a norm inside its MLP), which timm has; its
size is read off the tensors. Masked image modelling left a head behind that is not used. The authors' own class makes
the vector from the mean of the patches, normed by the last norm (``pooling: mean``); others take the class token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from timm.models.eva import Eva

from services.core.errors import invalid
from services.encoders.checkpoint import broken, fill, read_content, sole_file, tensors_of
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels, Recipe, ShortestEdgeCrop

MEAN, STD = (0.49185243,) * 3, (0.28509309,) * 3
SIZE, EDGE, PATCH, HEAD_DIM = 224, 256, 16, 64
_LEFT_OVER = re.compile(r"mask_token$|lm_head\.|head\.|(.*\.)?rope\.")  # of training; rotations are computed anew
_NAMES = (
    (r"mlp\.w12\.", "mlp.fc1."), (r"mlp\.w1\.", "mlp.fc1_g."), (r"mlp\.w2\.", "mlp.fc1_x."), (r"mlp\.w3\.", "mlp.fc2."),
    (r"mlp\.ffn_ln\.", "mlp.norm."), (r"attn\.inner_attn_ln\.", "attn.norm."),
)  # fmt: skip


def load(at: Checkpoint) -> TorchEncoder:
    """Options: ``pooling``, ``mean`` (default) or ``cls``; ``levels``, ``display`` (default) or ``full``.

    The folder holds one ``.pt``, ``.pth`` or ``.safetensors`` file. Raises INVALID_ARGUMENT, FAILED_PRECONDITION.
    """
    pooling = at.options.get("pooling", "mean")
    if pooling not in ("mean", "cls"):
        raise invalid("pooling is mean or cls")
    weights = sole_file(at.folder, ".pt", ".pth", ".safetensors")
    content = read_content(weights)
    tensors = _named(tensors_of(content.get("module", content) if isinstance(content, dict) else content), pooling)
    model = _architecture(tensors, pooling)
    fill(model, tensors)
    grid = model.patch_embed.grid_size

    def patches(pixels: torch.Tensor) -> torch.Tensor:
        return model.fc_norm(model.forward_features(pixels))[:, 1:].unflatten(1, grid)

    return TorchEncoder(at, Network(
        module=model, weights=[weights], recipe=Recipe(
            Levels(at.options.get("levels", "display")), ShortestEdgeCrop(EDGE, SIZE), MEAN, STD
        ),
        image=lambda pixels: model.forward_head(model.forward_features(pixels), pre_logits=True),
        pooling="mean-normed" if pooling == "mean" else "normed-cls", dim=model.num_features, patches=patches,
    ))  # fmt: skip


def _named(tensors: Mapping[str, torch.Tensor], pooling: str) -> dict[str, torch.Tensor]:
    """The authors' names → timm's. The last norm stands before or behind the pooling."""
    found: dict[str, torch.Tensor] = {}
    apart = "blocks.0.attn.q_proj.weight" in tensors
    for given, tensor in tensors.items():
        if _LEFT_OVER.match(given):
            continue
        name = given
        for pattern, ours in _NAMES:
            name = re.sub(pattern, ours, name)
        if apart:
            name = re.sub(r"attn\.([qv])_bias$", r"attn.\1_proj.bias", name)
        if pooling == "mean":
            name = re.sub(r"^norm\.", "fc_norm.", name)
        found[name] = tensor
    return found


def _architecture(tensors: Mapping[str, torch.Tensor], pooling: str) -> Eva:
    """What the tensors say of their network, weights at random. Raises FAILED_PRECONDITION."""
    try:
        _, tokens, dim = tensors["pos_embed"].shape
        hidden = tensors["blocks.0.mlp.fc2.weight"].shape[1]
    except (KeyError, ValueError):
        raise broken("this file holds no EVA-X network; fetch one of the pretrained files of MapleF/eva_x") from None
    side = math.isqrt(tokens - 1)
    if side * PATCH != SIZE or dim % HEAD_DIM:
        raise broken("this EVA-X network is not one of 224 pixels; others are not supported")
    apart = "blocks.0.attn.q_proj.weight" in tensors
    return Eva(
        img_size=SIZE, patch_size=PATCH, embed_dim=dim, num_heads=dim // HEAD_DIM, num_classes=0,
        depth=1 + max(int(match[1]) for name in tensors if (match := re.match(r"blocks\.(\d+)\.", name))),
        mlp_ratio=hidden / dim + 1e-6, swiglu_mlp=True, scale_mlp="blocks.0.mlp.norm.weight" in tensors,
        qkv_fused=not apart, use_rot_pos_emb=True, ref_feat_shape=(side, side),
        global_pool="avg" if pooling == "mean" else "token",
    )  # fmt: skip
