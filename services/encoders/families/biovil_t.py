"""BioViL-T and BioViL: a ResNet-50 and CXR-BERT, one space of 128 numbers; films and words, and places that read words.

A folder holds what the hub serves for ``microsoft/BiomedVLP-BioViL-T`` (or ``…-CXR-BERT-specialized`` for BioViL): the
image tower's own file, and the text tower with its tokenizer. No remote code is used: both are written here. BioViL-T
compares a film with an earlier one by a transformer; a film alone never reaches it, a learned "nothing before" takes
its place, and its tensors are left out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from torch import nn
from torch.nn.functional import gelu
from torchvision.models import resnet50
from transformers import BertConfig, BertModel, BertTokenizer

from services.encoders.checkpoint import broken, fill, read_json, read_tensors, weight_files
from services.encoders.fits import MinMax
from services.encoders.hub_layout import CONFIG, weights_of
from services.encoders.hub_text import text_tower
from services.encoders.network import Checkpoint, Network, Tensors, TorchEncoder
from services.encoders.preprocess import Recipe, ShortestEdgeCrop

TEMPORAL, ALONE = "biovil_t_image_model_proj_size_128.pt", "biovil_image_resnet50_proj_size_128.pt"
CROPS = {TEMPORAL: 448, ALONE: 480}
UNUSED = ("encoder.encoder.fc.", "encoder.vit_pooler.", "cls.predictions.", "bert.embeddings.position_ids")
MARKS = "!?."  # taken from the end of a text before it is read


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``, stretched to what the film holds either way.

    Raises FAILED_PRECONDITION for an unfit folder.
    """
    (image_file,) = weight_files(at.folder, TEMPORAL, ALONE)
    image = _ImageTower(_tensors(image_file))
    words = weights_of(at.folder)
    text = _TextTower(BertConfig.from_dict(read_json(at.folder / CONFIG)))
    fill(text, {name: tensor for path in words for name, tensor in _tensors(path).items()})
    tower = text_tower(at, _tokenizer(at.folder), text, text.bert.config.max_position_embeddings, "longest")
    fit = ShortestEdgeCrop(512, CROPS[image_file.name], "bilinear")
    return TorchEncoder(at, Network(
        module=nn.ModuleDict({"image": image, "text": text}),
        weights=[image_file, *words],
        recipe=Recipe(MinMax(at.option("levels", "display", "full")), fit, (0.0,) * 3, (1.0,) * 3),
        image=lambda pixels: image(pixels).mean((1, 2)),
        pooling="average-of-projected-places",
        dim=image.projector.model[3].out_channels,
        text=replace(tower, tokenise=lambda texts: tower.tokenise([told.rstrip(MARKS) for told in texts])),
        patches=image,
        patches_read_text=True,
    ))  # fmt: skip


class _ImageTower(nn.Module):
    """``(N, 3, S, S)`` → ``(N, h, w, 128)``. The names are those of the published tensors."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.encoder: Any = nn.Module()
        self.encoder.encoder = resnet50()
        del self.encoder.encoder.fc
        self.compares = "encoder.missing_previous_emb" in tensors
        try:
            hidden, width = tensors["projector.model.0.weight"].shape[:2]
            out = tensors["projector.model.3.weight"].shape[0]
            if self.compares:
                half, wide = tensors["encoder.backbone_to_vit.weight"].shape[:2]
                self.encoder.backbone_to_vit = nn.Conv2d(wide, half, 1, bias=False)
                self.encoder.missing_previous_emb = nn.Parameter(torch.zeros(1, half, 1, 1))
        except KeyError as error:
            raise broken("the image tower's file is not one of BioViL-T or BioViL; fetch it again") from error
        self.projector: Any = nn.Module()
        self.projector.model = nn.Sequential(
            nn.Conv2d(width, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(), nn.Conv2d(hidden, out, 1)
        )
        fill(self, tensors)
        self.to(memory_format=torch.channels_last)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        maps = pixels.contiguous(memory_format=torch.channels_last)
        for layer in list(self.encoder.encoder.children())[:-1]:  # all but the average
            maps = layer(maps)
        if self.compares:
            maps = self.encoder.backbone_to_vit(maps)
            before = self.encoder.missing_previous_emb.expand(maps.shape[0], -1, *maps.shape[2:])
            maps = torch.cat([maps, before], dim=1)
        return self.projector.model(maps).permute(0, 2, 3, 1)


class _TextTower(nn.Module):
    """Tokens → ``(N, 128)``: CXR-BERT's class token, projected. The names are those of the published tensors."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        size = getattr(config, "projection_size", 128)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.cls_projection_head = nn.ModuleDict({
            "dense_to_hidden": nn.Linear(config.hidden_size, size),
            "LayerNorm": nn.LayerNorm(size, eps=1e-12),
            "dense_to_output": nn.Linear(size, size),
        })  # fmt: skip

    def forward(self, tokens: Tensors) -> torch.Tensor:
        head = self.cls_projection_head
        states = self.bert(**tokens).last_hidden_state[:, 0]
        return head["dense_to_output"](head["LayerNorm"](gelu(head["dense_to_hidden"](states))))


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in read_tensors(path).items() if not name.startswith(UNUSED)}


def _tokenizer(folder: Path) -> BertTokenizer:
    """By its class: the folder asks for one of its own code, which differs in its name alone."""
    if not (folder / "vocab.txt").is_file():
        raise broken("the checkpoint has no vocab.txt; fetch its tokenizer's files, too")
    return BertTokenizer.from_pretrained(folder, local_files_only=True)
