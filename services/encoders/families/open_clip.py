"""Image-text encoders in open_clip's local-directory layout: BiomedCLIP, and the bundled ``hilum-cxr-clip``.

A folder holds ``open_clip_config.json``, safetensors weights, the tokenizer, and, for a BERT text tower, that BERT's
``config.json`` under ``bert/``: open_clip itself would ask the hub for it, even offline.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import open_clip
import torch
from open_clip.transform import PreprocessCfg

from services.encoders.checkpoint import broken, load_strict, read_json, sha256, weight_files
from services.encoders.network import Checkpoint, Network, TextTower, TorchEncoder
from services.encoders.preprocess import Fit, Levels, Recipe, ShortestEdgeCrop, Squash

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
TOKENIZER = ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_UNUSED = ("text.transformer.embeddings.position_ids",)  # BERT files of older transformers carry it


def load(at: Checkpoint) -> TorchEncoder:
    """Raises FAILED_PRECONDITION when the folder is incomplete or its weights do not fit exactly."""
    folder = at.folder
    weights = weight_files(folder, *WEIGHTS)
    model = build_model(folder)
    load_strict(model, weights, ignored=_UNUSED)
    model.visual.to(memory_format=torch.channels_last)  # convolutions run twice as fast on a CPU
    tokenizer = build_tokenizer(folder)
    words = sha256(folder / CONFIG, *(folder / n for n in TOKENIZER if (folder / n).is_file()))
    return TorchEncoder(at, Network(
        module=model,
        weights=weights,
        recipe=_recipe(PreprocessCfg(**model.visual.preprocess_cfg), at),
        image=lambda pixels: model.encode_image(pixels.contiguous(memory_format=torch.channels_last)),
        pooling="open-clip-image-head",
        dim=int(read_json(folder / CONFIG)["model_cfg"]["embed_dim"]),
        text=TextTower(
            space=f"{at.name}-text-{words[:12]}",
            tokenise=lambda texts: {"texts": tokenizer(texts)},
            embed=lambda part: model.encode_text(part["texts"]),
        ),
        logit_scale=float(model.logit_scale.detach().exp()),
    ))  # fmt: skip


def build_model(folder: Path) -> torch.nn.Module:
    """The architecture that the folder describes, weights at random. Raises FAILED_PRECONDITION."""
    config = read_json(folder / CONFIG)
    text = config.get("model_cfg", {}).get("text_cfg")
    if not isinstance(text, dict) or "embed_dim" not in config["model_cfg"]:
        raise broken(f"the checkpoint's {CONFIG} lacks model_cfg; fetch it again")
    if "hf_model_name" in text:
        if not (folder / "bert" / "config.json").is_file():
            raise broken("the checkpoint lacks bert/config.json, the configuration of its text tower; add it")
        text = {**text, "hf_model_name": str(folder / "bert"), "hf_model_pretrained": False}
    with _unalarmed():
        return open_clip.create_model(
            f"local-dir:{folder}",
            load_weights=False,
            pretrained_image=False,
            pretrained_text=False,
            require_pretrained=False,
            text_cfg=text,
        )


@contextmanager
def _unalarmed() -> Iterator[None]:
    """Without the library's warning of random weights: ours are filled in right after, and any gap is refused."""

    def other(record: logging.LogRecord) -> bool:
        return "No pretrained weights loaded" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(other)
    try:
        yield
    finally:
        root.removeFilter(other)


def build_tokenizer(folder: Path) -> open_clip.tokenizer.HFTokenizer:
    """The folder's own tokenizer: texts to ``(N, context) int64``."""
    return open_clip.get_tokenizer(f"local-dir:{folder}")


def _recipe(config: PreprocessCfg, at: Checkpoint) -> Recipe:
    """open_clip's inference transform in numbers. Raises FAILED_PRECONDITION for one that is not built here."""
    size = config.size if isinstance(config.size, int) else config.size[0]
    if not isinstance(config.size, int) and len(set(config.size)) != 1:
        raise broken("this encoder's input is no square; only square inputs are supported")
    if config.resize_mode == "shortest":
        fit: Fit = ShortestEdgeCrop(size, size, config.interpolation)
    elif config.resize_mode == "squash":
        fit = Squash(size, config.interpolation)
    else:
        raise broken("this encoder pads films before it sees them; that is not supported")
    return Recipe(Levels(at.options.get("levels", "display")), fit, tuple(config.mean), tuple(config.std))
