"""Local vectors of image towers: what each place of the last layer says when it stands alone for the whole film.

The head that turns a film's features into its vector is put on every place by itself, so the local vectors lie in the
space of the whole, words included. Where a class token gathers the film by attention, a place in the last block
attends to itself alone: the reading of MaskCLIP (Zhou et al. 2022, arXiv 2112.01071), which keeps the values and
leaves the mixing out.
"""

from __future__ import annotations

from collections.abc import Callable

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer as NativeTransformer
from timm.models.vision_transformer import VisionTransformer as TimmTransformer

Places = Callable[[torch.Tensor], torch.Tensor]
_CUSTOM_POOL = "pool"  # open_clip's own attention pools are tied to the whole map


def places_of(visual: torch.nn.Module) -> Places | None:
    """``(N, 3, S, S)`` → ``(N, h, w, D)`` in the space of the tower's vectors; None where the tower allows no such
    reading (attention pools with positions, transformers other than ViT)."""
    if isinstance(visual, NativeTransformer):
        plain = visual.attn_pool is None and visual.pool_type != "none" and len(visual.transformer.resblocks) > 1
        return _native(visual) if plain else None
    if not isinstance(visual, TimmModel) or _CUSTOM_POOL in dict(visual.head.named_children()):
        return None
    if type(visual.trunk) is TimmTransformer:
        return _tokens(visual) if len(visual.trunk.blocks) > 1 else None
    return None if hasattr(visual.trunk, "cls_token") else _map(visual)


def _native(visual: NativeTransformer) -> Places:
    blocks, gathers = visual.transformer.resblocks, visual.pool_type == "tok"

    def places(pixels: torch.Tensor) -> torch.Tensor:
        found = visual.forward_intermediates(
            pixels, indices=[len(blocks) - 1 - gathers], stop_early=True, intermediates_only=True, output_fmt="NLC",
            output_extra_tokens=True,
        )  # fmt: skip
        tokens = torch.cat([found["image_intermediates_prefix"][0], found["image_intermediates"][0]], dim=1)
        if gathers:
            tokens = blocks[-1](tokens, attn_mask=_itself(tokens))
        each = visual.ln_post(tokens[:, 1:])
        return (each if visual.proj is None else each @ visual.proj).unflatten(1, visual.grid_size)

    return places


def _tokens(visual: TimmModel) -> Places:
    trunk = visual.trunk
    gathers = trunk.global_pool == "token" and trunk.attn_pool is None

    def places(pixels: torch.Tensor) -> torch.Tensor:
        if gathers:
            patches, prefix = trunk.forward_intermediates(
                pixels, indices=[len(trunk.blocks) - 2], return_prefix_tokens=True, stop_early=True, output_fmt="NLC",
                intermediates_only=True,
            )[0]  # fmt: skip
            tokens = torch.cat([prefix, patches], dim=1)
            tokens = trunk.norm(trunk.blocks[-1](tokens, attn_mask=_itself(tokens)))
        else:
            tokens = trunk.forward_features(pixels)
        each = tokens[:, trunk.num_prefix_tokens :]
        count = each.shape[:2]
        alone = each.flatten(0, 1)
        if trunk.attn_pool is not None:
            alone = trunk.attn_pool(alone[:, None])
        out = visual.head(trunk.head(trunk.head_drop(trunk.fc_norm(alone))))
        return out.unflatten(0, count).unflatten(1, trunk.patch_embed.grid_size)

    return places


def _map(visual: TimmModel) -> Places:
    trunk = visual.trunk
    last = getattr(trunk, "output_fmt", "NCHW") == "NHWC"

    def places(pixels: torch.Tensor) -> torch.Tensor:
        features = trunk.forward_features(pixels)
        cells = features if last else features.permute(0, 2, 3, 1)
        alone = cells.reshape(-1, 1, 1, cells.shape[-1])
        out = visual.head(trunk.forward_head(alone if last else alone.permute(0, 3, 1, 2)))
        return out.reshape(*cells.shape[:3], -1)

    return places


def _itself(tokens: torch.Tensor) -> torch.Tensor:
    """The attention mask under which every token sees itself and nothing else."""
    count = tokens.shape[1]
    hidden = torch.full((count, count), float("-inf"), dtype=tokens.dtype, device=tokens.device)
    return hidden.fill_diagonal_(0)
