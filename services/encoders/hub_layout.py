"""Folders in the layout of the Hugging Face hub: networks by transformers, pixels by the image processor's settings."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import numpy as np
import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from services.encoders.checkpoint import broken, read_json, refuse_gaps, weight_files
from services.encoders.preprocess import Fit, Levels, Recipe, ShortestEdgeCrop, Squash

C = TypeVar("C", bound=PreTrainedConfig)
M = TypeVar("M", bound=PreTrainedModel)
CONFIG, PROCESSOR, NESTED = "config.json", "preprocessor_config.json", "processor_config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_UNBUILT = ("do_pad", "rescale_offset", "do_thumbnail", "do_align_long_axis", "do_image_splitting")
_CROPPING = ("CLIPImageProcessor", "BitImageProcessor")  # unless their files say otherwise
_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def weights_of(folder: Path) -> list[Path]:
    """The weight files that `load_model` reads. Raises FAILED_PRECONDITION when there are none."""
    return weight_files(folder, *WEIGHTS)


def read_config(cls: type[C], folder: Path) -> C:
    """config.json. Raises FAILED_PRECONDITION when it is missing, of another architecture or of impossible settings."""
    content = read_json(folder / CONFIG)
    if content.get("model_type") != cls.model_type:
        raise broken(f"this loader reads {cls.model_type} checkpoints only; {CONFIG} says another model_type")
    try:
        return cls.from_dict(content)
    except (StrictDataclassError, ValueError, TypeError, KeyError) as error:
        raise broken(f"the checkpoint's {CONFIG} has a setting that makes no sense; fetch it again") from error


def load_model(
    cls: type[M], folder: Path, config: Any = None, unused: tuple[str, ...] = (), heads: bool = False, **settings: Any
) -> M:
    """``cls`` with the folder's weights in float32; transformers maps older tensor names, and any gap is refused.

    unused: prefixes of tensors that the checkpoint has and this use of it has not, such as a classifier's head.
    heads: let pass whatever belongs to no part of ``cls``, for architectures whose heads nobody can list.
    Raises FAILED_PRECONDITION when files are missing, damaged, or do not fill the architecture exactly.
    """
    disable_progress_bar()  # a library's bars and reports, which name folders, are no business of a service's log
    set_verbosity_error()
    weights_of(folder)
    try:
        model, found = cls.from_pretrained(
            folder, config=config, local_files_only=True, weights_only=True, dtype=torch.float32,
            ignore_mismatched_sizes=True, output_loading_info=True, **settings,
        )  # fmt: skip
    except (OSError, RuntimeError, ValueError, SafetensorError, pickle.UnpicklingError) as error:
        raise broken("the checkpoint's weights cannot be read safely; fetch them again or convert them") from error
    parts = {name for name, _ in model.named_children()} | {name for name, _ in model.named_parameters(recurse=False)}

    def spare(key: str) -> bool:
        counted = key.endswith("position_ids")  # 0, 1, 2, ...: files of older transformers carry it
        return counted or key.startswith(unused or ("\0",)) or (heads and key.split(".", 1)[0] not in parts)

    # Sizes that differ are let through by the library only to be refused here with the rest.
    unexpected = [key for key in found["unexpected_keys"] if not spare(key)]
    refuse_gaps(found["missing_keys"], unexpected, [str(key[0]) for key in found["mismatched_keys"]])
    return model.eval().requires_grad_(False)


def read_recipe(folder: Path, levels: Levels, side: int | None = None) -> Recipe:
    """What an image processor of transformers does, in numbers, from either of the two files it may be kept in.

    side: what the network takes, where it takes nothing else.
    Published vectors were made with the processors' Pillow backend; the torchvision backend differs in the second
    decimal. Raises FAILED_PRECONDITION for what is not built here.
    """
    config = _processor(folder)
    try:
        if not config.get("do_normalize", True) or abs(config.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6:
            raise broken("this encoder's image processor does not scale and normalise as any that is supported")
        if not (config.get("do_resize", True) and config.get("do_rescale", True)) or any(map(config.get, _UNBUILT)):
            raise broken("this encoder's image processor does something to its pixels that is not supported")
        mean, std = (tuple(map(float, config[key])) for key in ("image_mean", "image_std"))
        recipe = Recipe(levels, _fit(config), mean, std)
    except (KeyError, TypeError) as error:
        raise broken(f"this encoder's {PROCESSOR} lacks a setting; fetch it again") from error
    if side is not None and np.shape(recipe.fit(np.zeros((side, side), np.uint8))) != (side, side):
        raise broken(f"this encoder's {PROCESSOR} and {CONFIG} differ in the size of its input; fetch both again")
    return recipe


def _processor(folder: Path) -> Mapping[str, Any]:
    """The image processor's settings. transformers 5 nests them in a file of all processors, and looks there first."""
    nested = read_json(folder / NESTED) if (folder / NESTED).is_file() else {}
    if isinstance(nested.get("image_processor"), dict):
        return nested["image_processor"]
    config = read_json(folder / PROCESSOR)
    return config.get("image_processor", config)


def _fit(config: Mapping[str, Any]) -> Fit:
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type"))
    kind = kind.replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast")
    resample = _RESAMPLE[config["resample"] if "resample" in config else _usual(kind)]
    crops = config.get("do_center_crop", kind in _CROPPING)
    size = config["size"]
    if isinstance(size, int):  # files of older transformers; what the number means depends on the processor
        size = {"shortest_edge": size} if crops or kind.startswith("ConvNext") else {"height": size, "width": size}
    if kind.startswith("ConvNext") and not crops:
        return _convnext(int(size["shortest_edge"]), float(config.get("crop_pct") or 224 / 256), resample)
    if "shortest_edge" in size:
        crop = config["crop_size"] if crops else None
        crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
        if crop is None or crop["height"] != crop["width"]:
            raise broken("this encoder's preprocessing ends in no square; only square inputs are supported")
        return ShortestEdgeCrop(int(size["shortest_edge"]), int(crop["height"]), resample, rounding="floor")
    if size["height"] != size["width"] or crops:
        raise broken("this encoder's preprocessing is neither a squash to a square nor a centre crop")
    return Squash(int(size["height"]), resample, rounded=not kind.startswith("DINOv3"))  # it scales before it resizes


def _usual(kind: str) -> Any:
    """The interpolation of a processor whose file does not say. Raises KeyError where nobody knows."""
    named = getattr(transformers, kind, object) if kind.endswith("ImageProcessor") else object
    return vars(named)["resample"]


def _convnext(edge: int, share: float, resample: str) -> Fit:
    """ConvNeXt's and ResNet's processor: the centre of a somewhat larger film, or all of it from 384 pixels on."""
    if edge >= 384:
        return Squash(edge, resample)
    return ShortestEdgeCrop(int(edge / share), edge, resample, rounding="floor")
