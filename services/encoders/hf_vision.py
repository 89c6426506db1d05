"""Image-only encoders in the Hugging Face DINOv2 layout: RAD-DINO, and the bundled ``hilum-cxr-dino``.

The vector is the CLS token of the last layer. Pixels follow ``BitImageProcessor`` with its Pillow backend, which the
published vectors were made with; the torchvision backend differs in the second decimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import Dinov2Config, Dinov2Model
from transformers.utils.logging import disable_progress_bar

from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from services.core.types import Film
from services.encoders.checkpoint import broken, read_json, refuse_gaps, sha256, weight_files
from services.encoders.preprocess import ShortestEdgeCrop, Source
from services.encoders.runtime import forward

_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


class Dinov2Encoder:
    """A DINOv2 network read by its CLS token. See ``services.encoders.base.Encoder``."""

    def __init__(self, folder: Path, name: str, revision: str, source: Source = "display") -> None:
        """``source``: ``full`` for encoders trained on films without a window, as RAD-DINO is.

        Raises FAILED_PRECONDITION when the folder is incomplete or its weights do not fit exactly.
        """
        weights = weight_files(folder, "model.safetensors")
        self._model = _load(folder)
        self.preprocess_film = _preprocessing(read_json(folder / "preprocessor_config.json"), source)
        self._spec = ModelSpec(
            name=name,
            revision=revision,
            weights_sha256=sha256(*weights),
            preprocessing=self.preprocess_film.name,
            pooling="cls",
            dim=int(self._model.config.hidden_size),
        )

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def preprocess(self, film: Film) -> NDArray[np.float32]:
        """Film to ``(3, S, S) float32``."""
        return self.preprocess_film(film)

    def encode_images(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(N, 3, S, S) float32`` to ``(N, D) float32``, L2-normalised."""
        pixels = torch.from_numpy(np.ascontiguousarray(batch, np.float32))
        return forward(lambda x: self._model(pixel_values=x).last_hidden_state[:, 0], pixels, self._spec.dim)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """This encoder reads no words. Raises FAILED_PRECONDITION."""
        raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{self._spec.name} reads no text; choose an image-text model")


def build_model(folder: Path) -> Dinov2Model:
    """The architecture that the folder describes, weights at random, float32. Raises FAILED_PRECONDITION."""
    return Dinov2Model._from_config(_config(folder), dtype=torch.float32)


def _config(folder: Path) -> Dinov2Config:
    config = read_json(folder / "config.json")
    if config.get("model_type") != "dinov2":
        raise broken("this loader reads DINOv2 checkpoints only; config.json says another model_type")
    return Dinov2Config.from_dict(config)


def _load(folder: Path) -> Dinov2Model:
    """The network with its weights; transformers maps older tensor names, and any gap is refused."""
    config = _config(folder)
    disable_progress_bar()  # a library's bar is no business of a service's log
    try:
        model, found = Dinov2Model.from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, dtype=torch.float32,
            ignore_mismatched_sizes=True, output_loading_info=True,
        )  # fmt: skip
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise broken("the checkpoint's weights cannot be read; fetch them again") from error
    # Sizes that differ are let through by the library only to be refused here with the rest.
    refuse_gaps(found["missing_keys"], found["unexpected_keys"], [str(key[0]) for key in found["mismatched_keys"]])
    return model.eval().requires_grad_(False)


def _preprocessing(config: dict, source: Source) -> ShortestEdgeCrop:
    """``BitImageProcessor``'s settings in numbers. Raises FAILED_PRECONDITION for another processor."""
    if config.get("image_processor_type") not in ("BitImageProcessor", "BitImageProcessorFast"):
        raise broken("this encoder's preprocessor_config.json is not a BitImageProcessor's; only that one is supported")
    try:
        edge, crop = int(config["size"]["shortest_edge"]), int(config["crop_size"]["height"])
        if crop != config["crop_size"]["width"] or not config["do_center_crop"] or not config["do_normalize"]:
            raise broken("this encoder's preprocessing is not a square centre crop with normalisation")
        mean, std = tuple(map(float, config["image_mean"])), tuple(map(float, config["image_std"]))
        return ShortestEdgeCrop(edge, crop, mean, std, _RESAMPLE[config["resample"]], source, rounding="floor")
    except (KeyError, TypeError) as error:
        raise broken("this encoder's preprocessor_config.json lacks a setting; fetch it again") from error
