"""UniCL, the two-tower network behind MedImageInsight: a DaViT that sees and a bidirectional transformer that reads.

Built from its published configuration (arXiv 2204.03610 for UniCL, 2204.03645 for DaViT, 2410.06542 for the model);
timm's DaViT is the same network under other tensor names, which `renamed` translates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce
from typing import Any

# isort: off
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import timm
import torch
from torch import nn

# What timm's DaViT builds in: a checkpoint configured otherwise is another network.
_BUILT_IN: Mapping[str, Any] = {
    "PATCH_SIZE": [7, 3, 3, 3], "PATCH_STRIDE": [4, 2, 2, 2], "PATCH_PADDING": [3, 1, 1, 1],
    "PATCH_PRENORM": [False, True, True, True], "STANDPARAM": True, "CONV_AT_ATTN": True, "CONV_AT_FFN": True,
    "DYNAMIC_SCALE": True,
}  # fmt: skip


class UniCL(nn.Module):
    """Films and words to one space; nothing is normalised here.

    config: the sections IMAGE_ENCODER, LANG_ENCODER and UNICL_MODEL of the published ``config.yaml``.
    Raises KeyError for a setting that is missing, ValueError for a network that this is not.
    """

    def __init__(self, config: Mapping[str, Any], vocabulary: int) -> None:
        super().__init__()
        image, words = config["IMAGE_ENCODER"], config["LANG_ENCODER"]
        self.dim = int(config["UNICL_MODEL"]["DIM_PROJECTION"])
        self.image_encoder = _davit(image)
        self.lang_encoder = Reader(
            vocabulary, int(words["CONTEXT_LENGTH"]), int(words["WIDTH"]), int(words["HEADS"]), int(words["LAYERS"]),
            causal=bool(words.get("AUTOGRESSIVE", True)),
        )  # fmt: skip
        self.image_projection = nn.Parameter(torch.empty(self.image_encoder.num_features, self.dim))
        self.lang_projection = nn.Parameter(torch.empty(int(words["WIDTH"]), self.dim))
        self.logit_scale = nn.Parameter(torch.ones([]))

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(N, 3, S, S)`` → ``(N, D)``: the mean of all places, normed, projected."""
        return self.image_encoder(pixels) @ self.image_projection

    def encode_patches(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(N, 3, S, S)`` → ``(N, S/32, S/32, C)``: the last stage, before the mean and the projection."""
        return self.image_encoder.forward_features(pixels).movedim(1, -1)

    def encode_text(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """``(N, L) int64`` twice → ``(N, D)``: what stands at the first end-of-text, which has the highest id."""
        words = self.lang_encoder(ids, mask)
        return words[torch.arange(len(ids)), ids.argmax(dim=-1)] @ self.lang_projection


def _davit(image: Mapping[str, Any]) -> nn.Module:
    spec = image["SPEC"]
    if image["NAME"] != "davit_v1" or any(spec.get(name, value) != value for name, value in _BUILT_IN.items()):
        raise ValueError("not the DaViT of MedImageInsight")
    if spec["NUM_HEADS"] != spec["NUM_GROUPS"]:
        raise ValueError("channel groups differ from heads")
    return timm.create_model(
        "davit_huge_fl", pretrained=False, num_classes=0, depths=tuple(spec["DEPTHS"]),
        embed_dims=tuple(spec["DIM_EMBED"]), num_heads=tuple(spec["NUM_HEADS"]), window_size=int(spec["WINDOW_SIZE"]),
    )  # fmt: skip


class Reader(nn.Module):
    """Tokens to one vector each; padding is not attended to."""

    def __init__(self, vocabulary: int, context: int, width: int, heads: int, layers: int, causal: bool) -> None:
        super().__init__()
        if causal:
            raise ValueError("MedImageInsight's text tower reads in both directions")
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.empty(context, width))
        self.resblocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.ln_final = nn.LayerNorm(width, eps=1e-12)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """``(N, L) int64`` twice → ``(N, L, W)``."""
        x = self.token_embedding(ids) + self.positional_embedding
        for block in self.resblocks:
            x = block(x, mask == 0)
        return self.ln_final(x)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", _QuickGelu())
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, key_padding_mask=padding, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class _QuickGelu(nn.Module):
    """GELU as CLIP approximates it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


# Published tensor names → timm's, in this order; the first five are an older generation of the same names.
_NAMES = [(re.compile(pattern), to) for pattern, to in (
    (r"^visual\.", "image_encoder."), (r"^text\.", "lang_encoder."),
    (r"^vision_projection$", "image_projection"), (r"^text_projection$", "lang_projection"),
    (r"^(image_encoder\.)conv_embeds\.", r"\1convs."), (r"^(image_encoder\.)main_blocks\.", r"\1blocks."),
    (r"^(image_encoder\.blocks\.\d+\.\d+\.)0\.", r"\1spatial_block."),
    (r"^(image_encoder\.blocks\.\d+\.\d+\.)1\.", r"\1channel_block."),
    (r"\.cpe\.0\.", ".cpe1."), (r"\.cpe\.1\.", ".cpe2."),
    (r"^image_encoder\.convs\.0\.proj\.", "image_encoder.stem.conv."),
    (r"^image_encoder\.convs\.0\.", "image_encoder.stem."),
    (r"^image_encoder\.convs\.(\d+)\.proj\.", r"image_encoder.stages.\1.downsample.conv."),
    (r"^image_encoder\.convs\.(\d+)\.", r"image_encoder.stages.\1.downsample."),
    (r"^image_encoder\.blocks\.(\d+)\.", r"image_encoder.stages.\1.blocks."),
    (r"^image_encoder\.norms\.", "image_encoder.head.norm."),
    (r"\.(window|channel)_attn\.norm\.", ".norm1."), (r"\.(window|channel)_attn\.fn\.", ".attn."),
    (r"\.ffn\.norm\.", ".norm2."), (r"\.ffn\.fn\.net\.", ".mlp."),
    (r"\.conv([12])\.fn\.dw\.", r".cpe\1.proj."),
)]  # fmt: skip


def renamed(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Published tensors under the names of `UniCL`."""

    def ours(name: str) -> str:
        return reduce(lambda found, step: step[0].sub(step[1], found), _NAMES, name)

    return {ours(name): tensor for name, tensor in tensors.items()}
