"""Any image encoder of timm in its hub layout: ``config.json`` and ``model.safetensors``. It reads no words.

The architecture, its arguments and the pixels are what ``config.json`` says; weights are adapted to the architecture by
timm's own rules for it, then every tensor must fit. A classifier that the checkpoint has is read and left unused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import numpy as np
import timm
import torch
from timm.data import resolve_data_config

from services.core.errors import HilumError, invalid
from services.core.types import Film
from services.encoders.checkpoint import broken, read_json, read_tensors, sha256, weight_files
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import RESAMPLE, Fit, Levels, LongestEdgePad, Recipe, ShortestEdgeCrop, SquashCrop

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
POOLINGS = ("default", "cls", "mean")
_ELSEWHERE = ("url", "file", "hf_hub_id", "hf_hub_filename", "source", "custom_load", "state_dict")
_NOT_THE_NETWORKS = ("pretrained", "checkpoint_path", "cache_dir", "features_only", "num_classes")
_SHORT = "this checkpoint does not fit what its config.json describes; fetch both again, or update timm"


def load(at: Checkpoint) -> TorchEncoder:
    """Options: ``pooling``, ``default`` (what timm puts before its classifier), ``cls`` or ``mean`` (of the places of
    the last layer); ``levels``, ``display`` (default) or ``full``.

    Raises INVALID_ARGUMENT for options, FAILED_PRECONDITION for an unfit folder.
    """
    pooling = at.options.get("pooling", "default")
    if pooling not in POOLINGS:
        raise invalid(f"pooling is one of {', '.join(POOLINGS)}")
    weights = weight_files(at.folder, *WEIGHTS)
    described = _described(read_json(at.folder / CONFIG))
    tensors: dict[str, torch.Tensor] = {}
    for path in weights:
        tensors |= read_tensors(path)
    model = _build(described, tensors)
    recipe = recipe_of(described["pretrained_cfg"], Levels(at.options.get("levels", "display")))
    image = _pooled(model, pooling)
    dim, places = _probe(model, image, recipe)
    return TorchEncoder(at, Network(
        module=model, weights=weights, recipe=recipe, image=image,
        pooling=f"timm-{pooling}-{sha256(at.folder / CONFIG)[:8]}", dim=dim, patches=places,
    ))  # fmt: skip


def recipe_of(config: Mapping[str, Any], levels: Levels) -> Recipe:
    """timm's evaluation transform in numbers. Raises FAILED_PRECONDITION for one that is not built here."""
    data = resolve_data_config(pretrained_cfg=dict(config))
    channels, height, width = data["input_size"]
    mean, std = (tuple(map(float, data[key])) for key in ("mean", "std"))
    resample = data["interpolation"]
    if height != width or resample not in RESAMPLE or not len(mean) == len(std) == channels:
        raise broken("this encoder's input is no square of as many channels as it has means; that is not supported")
    scaled = math.floor(height / data["crop_pct"])
    fits: dict[str, Callable[[], Fit]] = {
        "center": lambda: ShortestEdgeCrop(scaled, height, resample),
        "squash": lambda: SquashCrop(scaled, height, resample),
        "border": lambda: LongestEdgePad(scaled, height, resample, round(255 * mean[0])),
    }
    if data["crop_mode"] not in fits or (data["crop_mode"] == "border" and len(set(mean)) > 1):
        raise broken("this encoder's crop_mode is not supported")
    return Recipe(levels, fits[data["crop_mode"]](), mean, std)


def _described(config: dict[str, Any]) -> dict[str, Any]:
    """config.json in today's shape; older ones mix the architecture with what belongs to the weights."""
    if "pretrained_cfg" not in config:
        config = {**{k: config[k] for k in ("architecture", "model_args") if k in config}, "pretrained_cfg": config}
    if not isinstance(config.get("architecture"), str) or not isinstance(config["pretrained_cfg"], dict):
        raise broken("the checkpoint's config.json names no architecture; fetch it again")
    weights = {k: v for k, v in config["pretrained_cfg"].items() if k not in (*_ELSEWHERE, "architecture")}
    weights["num_classes"] = config.get("num_classes", weights.get("num_classes", 0))
    args = {k: v for k, v in (config.get("model_args") or {}).items() if not k.startswith(_NOT_THE_NETWORKS)}
    return {"architecture": config["architecture"], "model_args": args, "pretrained_cfg": weights}


def _build(described: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> torch.nn.Module:
    name, config = described["architecture"], described["pretrained_cfg"]
    if not timm.is_model(name):
        raise broken("this timm knows no such architecture; update timm")
    known = {field: config[field] for field in timm.models.PretrainedCfg.__dataclass_fields__ if field in config}
    try:
        model = timm.create_model(
            name, pretrained=True, pretrained_strict=True, num_classes=config["num_classes"],
            pretrained_cfg={**known, "state_dict": tensors}, **described["model_args"],
        )  # fmt: skip
    except (AssertionError, AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise broken(_SHORT) from error
    return model.float().eval()


def _pooled(model: torch.nn.Module, pooling: str) -> Callable[[torch.Tensor], torch.Tensor]:
    if pooling == "default":
        return lambda pixels: model.forward_head(model.forward_features(pixels), pre_logits=True)
    if pooling == "mean":
        return lambda pixels: _places(model, model.forward_features(pixels)).mean((1, 2))
    if getattr(model, "cls_token", None) is None:
        raise invalid("this architecture has no class token; choose pooling default or mean")
    return lambda pixels: model.forward_features(pixels)[:, 0]


def _places(model: torch.nn.Module, features: torch.Tensor) -> torch.Tensor:
    """Features of the last layer → ``(N, h, w, C)``."""
    if features.ndim == 4:
        return features if getattr(model, "output_fmt", "NCHW") == "NHWC" else features.permute(0, 2, 3, 1)
    if features.ndim != 3:
        raise broken("this architecture's last layer has no places")
    tokens = features[:, getattr(model, "num_prefix_tokens", 0) :]
    side = math.isqrt(tokens.shape[1])
    if side * side != tokens.shape[1]:
        raise broken("this architecture's tokens are no square of places")
    return tokens.unflatten(1, (side, side))


def _probe(
    model: torch.nn.Module, image: Callable[[torch.Tensor], torch.Tensor], recipe: Recipe
) -> tuple[int, Callable[[torch.Tensor], torch.Tensor] | None]:
    """Length of a vector and, where the architecture has them, its places: one blank film tells both for certain."""
    pixels = recipe(Film(np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint16)))
    blank = torch.from_numpy(recipe.normalised(pixels))[None]
    with torch.inference_mode():
        try:
            vector, features = image(blank), model.forward_features(blank)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise broken(_SHORT) from error
    if vector.ndim != 2:
        raise broken("this architecture ends in no single vector; choose pooling cls or mean")
    try:
        _places(model, features)
    except HilumError:
        return vector.shape[1], None
    return vector.shape[1], lambda pixels: _places(model, model.forward_features(pixels))
