"""Ark+ (jlianglab/Ark): a Swin-L at 768 pixels, taught by the labels of six datasets. It reads no words.

The checkpoint is the authors' training state; of its two networks the ``teacher`` is the one that they use. Its tensors
have the names of timm 0.5.4, where a stage's last step is what is now the next stage's first. The vector is the one of
their ``generate_embeddings``: the mean of the last layer through a linear projector, 1376 numbers; option ``vector:
encoder`` leaves the projector out, 1536 numbers. The classifiers of the six tasks are not used.
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
from timm.models.swin_transformer import SwinTransformer

from services.core.errors import invalid
from services.encoders.checkpoint import broken, fill, read_content, sole_file, tensors_of
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels, Recipe, Squash

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE, PATCH = 768, 4
_UNUSED = re.compile(r"omni_heads\.|head\.|.*\.(relative_position_index|attn_mask)$")  # classifiers; what is computed


def load(at: Checkpoint) -> TorchEncoder:
    """Options: ``vector``, ``projected`` (default) or ``encoder``; ``levels``, ``display`` (default) or ``full``.

    The folder holds one ``.tar``, ``.pth``, ``.pt`` or ``.safetensors`` file. Raises INVALID_ARGUMENT,
    FAILED_PRECONDITION.
    """
    vector = at.options.get("vector", "projected")
    if vector not in ("projected", "encoder"):
        raise invalid("vector is projected or encoder")
    weights = sole_file(at.folder, ".tar", ".pth", ".pt", ".safetensors")
    content = read_content(weights)
    tensors = tensors_of(content.get("teacher", content) if isinstance(content, dict) else content)
    given = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    size = _size(given)
    tensors = {_renamed(name): tensor for name, tensor in given.items() if not _UNUSED.match(name)}
    model = torch.nn.Module()
    model.swin = _architecture(tensors, size)
    if vector == "projected":
        model.projector = _projector(tensors)
    else:
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("projector.")}
    fill(model, tensors)

    def places(pixels: torch.Tensor) -> torch.Tensor:
        features = model.swin.forward_features(pixels)  # (N, h, w, C)
        return model.projector(features) if vector == "projected" else features

    return TorchEncoder(at, Network(
        module=model, weights=[weights],
        recipe=Recipe(Levels(at.options.get("levels", "display")), Squash(size), MEAN, STD),
        image=lambda pixels: places(pixels).mean((1, 2)),  # the projector is linear: before the mean or behind it
        pooling=f"mean-{vector}",
        dim=model.projector.out_features if vector == "projected" else model.swin.num_features, patches=places,
    ))  # fmt: skip


def _renamed(name: str) -> str:
    """timm 0.5.4's names → today's, below ``swin.``."""
    if name.startswith("projector."):
        return name
    return "swin." + re.sub(r"^layers\.(\d+)\.downsample", lambda m: f"layers.{int(m[1]) + 1}.downsample", name)


def _size(tensors: Mapping[str, torch.Tensor]) -> int:
    """Pixels of the input: the masks that timm 0.5.4 saved count the windows."""
    mask = tensors.get("layers.0.blocks.1.attn_mask")
    return SIZE if mask is None else PATCH * math.isqrt(mask.shape[0]) * math.isqrt(mask.shape[1])


def _architecture(tensors: Mapping[str, torch.Tensor], size: int) -> SwinTransformer:
    """What the tensors say of their network, weights at random. Raises FAILED_PRECONDITION."""
    tables = {
        (int(match[1]), int(match[2])): tensor.shape
        for name, tensor in tensors.items()
        if (match := re.fullmatch(r"swin\.layers\.(\d+)\.blocks\.(\d+)\.attn\.relative_position_bias_table", name))
    }
    if (0, 0) not in tables or "swin.patch_embed.proj.weight" not in tensors:
        raise broken("this file holds no Ark Swin network; use the checkpoint that its authors hand out")
    stages = sorted({stage for stage, _ in tables})
    return SwinTransformer(
        img_size=size, patch_size=PATCH, embed_dim=tensors["swin.patch_embed.proj.weight"].shape[0],
        depths=tuple(sum(stage == found for found, _ in tables) for stage in stages),
        num_heads=tuple(tables[stage, 0][1] for stage in stages),
        window_size=(math.isqrt(tables[0, 0][0]) + 1) // 2, num_classes=0,
    )  # fmt: skip


def _projector(tensors: Mapping[str, torch.Tensor]) -> torch.nn.Linear:
    weight = tensors.get("projector.weight")
    if weight is None or weight.ndim != 2:
        raise broken("this Ark network has no linear projector; add it with option vector=encoder")
    return torch.nn.Linear(weight.shape[1], weight.shape[0])
