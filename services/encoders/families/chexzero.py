"""CheXzero: OpenAI's CLIP (ViT-B/32), trained further on films and the impressions of their reports; films and words.

The authors publish bare state dicts in the names of OpenAI's code, of which the shape of the network is read. Its
activation is CLIP's "quick" GELU, which the tensors do not tell.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.tokenizer import SimpleTokenizer

from services.encoders.checkpoint import broken, fill, read_tensors, sole_file
from services.encoders.fits import LetterboxThenBicubic
from services.encoders.network import Checkpoint, Network, TextTower, TorchEncoder
from services.encoders.places import places_of
from services.encoders.preprocess import Levels, Recipe

EDGE = 320
MEAN, STD = (101.48761 / 255,) * 3, (83.43944 / 255,) * 3
HEAD_WIDTH = 64  # of all of OpenAI's transformers
ABOUT = ("input_resolution", "context_length", "vocab_size")  # numbers that OpenAI's own files carry along


def load(at: Checkpoint) -> TorchEncoder:
    """Option ``levels``: ``display`` (default) or ``full``. Raises FAILED_PRECONDITION for an unfit folder."""
    path = sole_file(at.folder, ".pt", ".pth", ".bin", ".safetensors")
    _refuse_program(path)
    tensors = read_tensors(path)
    try:
        model = _model(tensors)
    except KeyError as error:
        raise broken(
            "the checkpoint's tensors are not named as OpenAI's CLIP names them; this is no CheXzero"
        ) from error
    fill(model, tensors, ignored=ABOUT)
    levels = Levels(at.option("levels", "display", "full"))
    tokenizer = SimpleTokenizer(context_length=model.context_length)
    return TorchEncoder(at, Network(
        module=model,
        weights=[path],
        recipe=Recipe(levels, LetterboxThenBicubic(EDGE, model.visual.image_size[0]), MEAN, STD),
        image=model.encode_image,
        pooling="clip-image-head",
        dim=int(model.text_projection.shape[1]),
        text=TextTower(
            space=f"{at.name}-text-clip-bpe-{model.context_length}",
            tokenise=lambda texts: {"texts": tokenizer(texts)},
            embed=lambda part: model.encode_text(part["texts"]),
        ),
        patches=places_of(model.visual),
        patches_read_text=True,
        logit_scale=float(model.logit_scale.detach().exp()),
    ))  # fmt: skip


def _refuse_program(path: Path) -> None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise broken("this file is a TorchScript program, as OpenAI publishes CLIP itself, and no program is "
                             "run; add CheXzero's own file, a state dict")  # fmt: skip


def _model(tensors: Mapping[str, torch.Tensor]) -> CLIP:
    """CLIP in the shape the tensors have, weights at random."""
    kernel, width = tensors["visual.conv1.weight"].shape, tensors["ln_final.weight"].shape[0]
    grid = round((tensors["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    return CLIP(
        tensors["text_projection"].shape[1],
        vision_cfg=CLIPVisionCfg(
            layers=_layers(tensors, "visual.transformer"), width=kernel[0], head_width=min(HEAD_WIDTH, kernel[0]),
            patch_size=kernel[-1], image_size=grid * kernel[-1],
        ),
        text_cfg=CLIPTextCfg(
            context_length=tensors["positional_embedding"].shape[0],
            vocab_size=tensors["token_embedding.weight"].shape[0],
            width=width, heads=max(width // HEAD_WIDTH, 1), layers=_layers(tensors, "transformer"),
        ),
        quick_gelu=True,
    )  # fmt: skip


def _layers(tensors: Mapping[str, torch.Tensor], tower: str) -> int:
    return len({found[1] for name in tensors if (found := re.match(rf"{tower}\.resblocks\.(\d+)\.", name))})
