"""CXR-CLIP: ResNet-50 or Swin-T with Bio_ClinicalBERT, one space of 512 numbers; films and words.

A folder holds one checkpoint of the authors (``r50_*.tar`` or ``swint_*.tar``, torch's format) and, under
``clinicalbert``, ``config.json`` and ``vocab.txt`` of the BERT they began with: the checkpoint has its weights, not its
words. Which image tower it is, and how long a text may be, the checkpoint says itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from torchvision.models import resnet50
from transformers import BertConfig, BertModel, SwinConfig, SwinModel

from services.encoders.checkpoint import broken, fill, read_content, read_json, sole_file, tensors_of
from services.encoders.hub_layout import CONFIG
from services.encoders.hub_text import read_tokenizer, text_tower
from services.encoders.network import Checkpoint, Network, Tensors, TorchEncoder
from services.encoders.preprocess import Levels, Recipe, ShortestEdgeCrop

WORDS, SWIN = "clinicalbert", "swin"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALVES = (0.5,) * 3, (0.5,) * 3
SIZE, LENGTH = 224, 256  # of all published checkpoints, where they do not say it
MADE_ANEW = ("position_ids", "relative_position_index")  # old files carry what is computed today
RENAMED = (  # Swin's tensors, since transformers 5
    (
        r"\.attention\.self\.(q)uery\.|\.attention\.self\.(k)ey\.|\.attention\.self\.(v)alue\.",
        r".attention.\1\2\3_proj.",
    ),
    (r"\.attention\.self\.(relative_position_bias_table)", r".attention.relative_position_bias.\1"),
    (r"\.attention\.output\.dense\.", ".attention.o_proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
)


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``. Raises FAILED_PRECONDITION for an unfit folder."""
    path = sole_file(at.folder, ".tar", ".pt", ".pth", ".safetensors")
    content = read_content(path)
    tensors = tensors_of(content)
    about = _part(content, "config")
    _refuse_other(_part(about, "model"))
    base = _part(about, "base")
    size, length = int(base.get("image_size", SIZE)), int(base.get("text_max_length", LENGTH))
    swin = any(name.startswith("image_encoder.image_encoder.") for name in tensors)
    model, image, patches = _model(at.folder, tensors, swin)
    fill(model, {name: tensor for name, tensor in _named(tensors).items() if not name.endswith(MADE_ANEW)})

    def words(part: Tensors) -> torch.Tensor:
        states = model.text_encoder.text_encoder(**part).last_hidden_state
        last = part["attention_mask"].sum(1) - 1  # the end token, [SEP]
        return model.text_projection.projection(states[torch.arange(len(last), device=last.device), last])

    project = model.image_projection.projection
    bert = replace(at, folder=at.folder / WORDS)
    tokenizer = read_tokenizer(bert, model.text_encoder.text_encoder.config.vocab_size)
    inputs = ("input_ids", "token_type_ids", "attention_mask")
    mean, std = HALVES if swin else IMAGENET
    fit = ShortestEdgeCrop(size, size, "bilinear")
    return TorchEncoder(at, Network(
        module=model,
        weights=[path],
        recipe=Recipe(Levels(at.option("levels", "display", "full")), fit, mean, std),
        image=lambda pixels: project(image(pixels)),
        pooling="first-place-projected" if swin else "average-projected",
        dim=project.out_features,
        text=text_tower(bert, tokenizer, words, length, "longest", inputs),
        patches=patches if swin else lambda pixels: project(patches(pixels)),
        patches_read_text=not swin,  # its projection was trained on one place, the first
        logit_scale=float(model.logit_scale.detach().exp()),
    ))  # fmt: skip


Call = Callable[[torch.Tensor], torch.Tensor]


def _model(folder: Path, tensors: Mapping[str, torch.Tensor], swin: bool) -> tuple[Any, Call, Call]:
    """An empty CXR-CLIP in the names of its checkpoints, its image tower, and the tower's last map ``(N, h, w, C)``."""
    bert = BertConfig.from_dict(read_json(folder / WORDS / CONFIG))
    try:
        heads = {tower: tensors[f"{tower}_projection.projection.weight"].shape for tower in ("image", "text")}
    except KeyError as error:
        raise broken("the checkpoint has no projections as CXR-CLIP names them; add a CXR-CLIP checkpoint") from error
    model: Any = torch.nn.Module()
    model.logit_scale = torch.nn.Parameter(torch.zeros([]))
    for name in ("image_encoder", "text_encoder", "image_projection", "text_projection"):
        model.add_module(name, torch.nn.Module())
    model.text_encoder.text_encoder = BertModel(bert)
    for tower, (out, width) in heads.items():
        model.get_submodule(f"{tower}_projection").projection = torch.nn.Linear(width, out)
    if swin:
        config = SwinConfig.from_dict(read_json(folder / SWIN / CONFIG)) if (folder / SWIN).is_dir() else SwinConfig()
        model.image_encoder.image_encoder = tower = SwinModel(config)

        def places(pixels: torch.Tensor) -> torch.Tensor:
            return tower(pixel_values=pixels).last_hidden_state

        def square(pixels: torch.Tensor) -> torch.Tensor:
            states = places(pixels)
            return states.unflatten(1, (round(states.shape[1] ** 0.5), -1))

        return model, lambda pixels: places(pixels)[:, 0], square
    model.image_encoder.resnet = network = resnet50()
    del network.fc
    trunk = list(network.children())[:-1]  # all but the average

    def maps(pixels: torch.Tensor) -> torch.Tensor:
        for layer in trunk:
            pixels = layer(pixels)
        return pixels.permute(0, 2, 3, 1)

    return model, lambda pixels: maps(pixels).mean((1, 2)), maps


def _named(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Swin's tensors by the names of today."""
    out = {}
    for name, tensor in tensors.items():
        if name.startswith("image_encoder.image_encoder."):
            for before, after in RENAMED:
                name = re.sub(before, after, name)  # noqa: PLW2901
        out[name] = tensor
    return out


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _refuse_other(model: Mapping[str, Any]) -> None:
    """What the authors' code can be set to and their published checkpoints are not."""
    text, head = _part(model, "text_encoder"), _part(model, "projection_head")
    if text.get("pooling", "eos") != "eos" or head.get("name", "linear") != "linear":
        raise broken("this CXR-CLIP was trained with another pooling or projection than the published ones; only those "
                     "are supported")  # fmt: skip
