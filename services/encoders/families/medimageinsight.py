"""MedImageInsight from a folder: as Azure's model catalogue hands it out, or as its re-uploads arrange it.

The vector is 1024 numbers in one space with words of at most 77 tokens. The published package computes with random
weights where a file is missing or does not fit; here either is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
import yaml
from transformers import CLIPTokenizer

from services.core.errors import invalid
from services.encoders.checkpoint import broken, fill, read_tensors, sha256, weight_files
from services.encoders.microsoft import recipe
from services.encoders.network import Checkpoint, Network, TextTower, TorchEncoder
from services.encoders.unicl import UniCL, renamed

_HOMES = ("", "2024.09.27", "v20240927")  # of config.yaml
_WEIGHTS = ("medimageinsigt-v1.0.0.pt", "medimageinsight-v1.0.0.pt")  # Azure's name is misspelt; safetensors inside
_TOKENIZERS = ("clip_tokenizer_4.16.2", "clip_tokenizer_v4162")
_VARIANTS = ("card", "toolkit", "mcp")


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``preprocessing``: ``card`` (default), ``toolkit`` or ``mcp``.

    Raises INVALID_ARGUMENT for another option, FAILED_PRECONDITION when a file is missing or the weights do not fit.
    """
    variant = at.options.get("preprocessing", "card")
    if variant not in _VARIANTS:
        raise invalid(f"this encoder's option preprocessing is one of {', '.join(_VARIANTS)}")
    home, config = _config(at.folder)
    weights = _weights(at.folder, home)
    words = _tokenizer_files(home)
    tokenizer = CLIPTokenizer.from_pretrained(words[0].parent, local_files_only=True)
    try:
        model = _filled(config, tokenizer.vocab_size, weights)
        image, context = config["IMAGE_ENCODER"], int(config["LANG_ENCODER"]["CONTEXT_LENGTH"])
        size, *rest = {int(side) for side in image["IMAGE_SIZE"]}
        mean, std = (tuple(map(float, image[key])) for key in ("IMAGE_MEAN", "IMAGE_STD"))
    except (KeyError, TypeError, ValueError) as error:
        raise broken("the checkpoint's config.yaml describes no MedImageInsight; fetch it again") from error
    if rest:
        raise broken("this encoder's input is no square; only square inputs are supported")

    def tokenise(texts: list[str]) -> Mapping[str, torch.Tensor]:
        return dict(tokenizer(texts, padding="max_length", max_length=context, truncation=True, return_tensors="pt"))

    return TorchEncoder(at, Network(
        module=model, weights=weights, recipe=recipe(variant, size, mean, std), image=model.encode_image,
        pooling="davit-mean-norm-projection", dim=model.dim,
        text=TextTower(
            space=f"{at.name}-text-{sha256(*words)[:12]}-{context}",
            tokenise=tokenise,
            embed=lambda part: model.encode_text(part["input_ids"], part["attention_mask"]),
        ),
        patches=model.encode_patches,
        logit_scale=float(model.logit_scale.detach().exp()),
    ))  # fmt: skip


def _filled(config: Mapping[str, Any], vocabulary: int, weights: list[Path]) -> UniCL:
    with torch.device("meta"):  # 616 million random numbers would take longer than the file
        model = UniCL(config, vocabulary)
    model.to_empty(device="cpu")
    tensors = {}
    for path in weights:
        tensors |= read_tensors(path)
    fill(model, renamed(tensors))
    return model


def _config(folder: Path) -> tuple[Path, Mapping[str, Any]]:
    home = next((folder / name for name in _HOMES if (folder / name / "config.yaml").is_file()), None)
    if home is None:
        raise broken("the checkpoint has no config.yaml; a MedImageInsight folder has one, maybe under 2024.09.27")
    try:
        config = yaml.safe_load((home / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise broken("the checkpoint's config.yaml cannot be read; fetch it again") from error
    if not isinstance(config, dict):
        raise broken("the checkpoint's config.yaml is no table of settings; fetch it again")
    return home, config


def _weights(folder: Path, home: Path) -> list[Path]:
    for place in (home / "vision_model", home, folder):
        if any((place / name).is_file() for name in _WEIGHTS):
            return weight_files(place, *_WEIGHTS)
    raise broken(f"the checkpoint has no vision_model/{' or '.join(_WEIGHTS)}; fetch it again")


def _tokenizer_files(home: Path) -> list[Path]:
    for name in _TOKENIZERS:
        files = [home / "language_model" / name / file for file in ("vocab.json", "merges.txt")]
        if all(file.is_file() for file in files):
            return files
    raise broken(f"the checkpoint has no language_model/{' or '.join(_TOKENIZERS)}; fetch it again")
