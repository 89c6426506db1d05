"""Folders in the layout of the Hugging Face hub: networks by transformers, pixels by preprocessor_config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from services.encoders.checkpoint import broken, read_json, refuse_gaps, weight_files
from services.encoders.preprocess import Fit, Levels, Recipe, ShortestEdgeCrop, Squash

M = TypeVar("M", bound=PreTrainedModel)
CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def weights_of(folder: Path) -> list[Path]:
    """The weight files that `load_model` reads. Raises FAILED_PRECONDITION when there are none."""
    return weight_files(folder, *WEIGHTS)


def load_model(cls: type[M], folder: Path, config: Any = None, unused: tuple[str, ...] = (), **settings: Any) -> M:
    """``cls`` with the folder's weights in float32; transformers maps older tensor names, and any gap is refused.

    unused: prefixes of tensors that the checkpoint has and this use of it has not, such as a classifier's head.
    Raises FAILED_PRECONDITION when files are missing, damaged, or do not fill the architecture exactly.
    """
    disable_progress_bar()  # a library's bar is no business of a service's log
    weights_of(folder)
    try:
        model, found = cls.from_pretrained(
            folder, config=config, local_files_only=True, weights_only=True, dtype=torch.float32,
            ignore_mismatched_sizes=True, output_loading_info=True, **settings,
        )  # fmt: skip
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise broken("the checkpoint's weights cannot be read; fetch them again") from error
    # Sizes that differ are let through by the library only to be refused here with the rest.
    unexpected = [key for key in found["unexpected_keys"] if not key.startswith(unused or ("\0",))]
    refuse_gaps(found["missing_keys"], unexpected, [str(key[0]) for key in found["mismatched_keys"]])
    return model.eval().requires_grad_(False)


def read_recipe(folder: Path, levels: Levels) -> Recipe:
    """What an image processor of transformers does, in numbers. Raises FAILED_PRECONDITION for what is not built here.

    Published vectors were made with the processors' Pillow backend; the torchvision backend differs in the second
    decimal.
    """
    config = read_json(folder / PROCESSOR)
    config = config.get("image_processor", config)  # processor_config.json of transformers 5 nests it
    try:
        if not config.get("do_normalize", True) or abs(config.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6:
            raise broken("this encoder's image processor does not scale and normalise as any that is supported")
        mean, std = (tuple(map(float, config[key])) for key in ("image_mean", "image_std"))
        return Recipe(levels, _fit(config), mean, std)
    except (KeyError, TypeError) as error:
        raise broken(f"this encoder's {PROCESSOR} lacks a setting; fetch it again") from error


def _fit(config: dict[str, Any]) -> Fit:
    size, resample = config["size"], _RESAMPLE[config.get("resample", 3)]
    if isinstance(size, int):  # files of older transformers; what the number means depends on the processor
        size = {"shortest_edge": size} if config.get("do_center_crop") else {"height": size, "width": size}
    if "shortest_edge" in size:
        crop = config["crop_size"] if config.get("do_center_crop", True) else None
        crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
        if crop is None or crop["height"] != crop["width"]:
            raise broken("this encoder's preprocessing ends in no square; only square inputs are supported")
        return ShortestEdgeCrop(int(size["shortest_edge"]), int(crop["height"]), resample, rounding="floor")
    if size["height"] != size["width"] or config.get("do_center_crop"):
        raise broken("this encoder's preprocessing is neither a squash to a square nor a centre crop")
    return Squash(int(size["height"]), resample)
