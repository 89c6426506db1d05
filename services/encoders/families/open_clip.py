"""Image-text encoders in open_clip's local-directory layout: BiomedCLIP, any open_clip model of one's own, and the
bundled ``hilum-cxr-clip``.

A folder holds ``open_clip_config.json``, weights, the tokenizer where the text tower is none of CLIP's own, and, for a
BERT text tower, that BERT's ``config.json`` under ``bert/``: open_clip itself would ask the hub for it, even offline.
The vectors are those of ``encode_image`` and ``encode_text``, normalised.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import open_clip
import torch
from open_clip.model import convert_to_custom_text_state_dict
from open_clip.transform import PreprocessCfg

from services.encoders.checkpoint import broken, fill, read_json, read_tensors, sha256, weight_files
from services.encoders.network import Checkpoint, Network, TextTower, TorchEncoder
from services.encoders.places import places_of
from services.encoders.preprocess import Fit, Levels, LongestEdgePad, Recipe, ShortestEdgeCrop, Squash

CONFIG = "open_clip_config.json"
WEIGHTS = (  # in open_clip's own order of preference
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth", "model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth",
)  # fmt: skip
TEXT_FILES = (
    "bert/config.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json",
)  # fmt: skip
_UNUSED = ("text.transformer.embeddings.position_ids",)  # BERT files of older transformers carry it


def load(at: Checkpoint) -> TorchEncoder:
    """Options: ``weights``, the name of the weights file, where it is none that open_clip looks for; ``levels``,
    ``display`` (default) or ``full``.

    Raises FAILED_PRECONDITION when the folder is incomplete or its weights do not fit exactly.
    """
    folder = at.folder
    weights = weight_files(folder, *([Path(str(at.options["weights"])).name] if "weights" in at.options else WEIGHTS))
    model = build_model(folder)
    fill(model, _tensors(model, weights), ignored=_UNUSED)
    model.visual.to(memory_format=torch.channels_last)  # convolutions run twice as fast on a CPU
    tokenizer = build_tokenizer(folder)
    words = sha256(folder / CONFIG, *(folder / n for n in TEXT_FILES if (folder / n).is_file()))
    places = places_of(model.visual)
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
        patches=places and (lambda pixels: places(pixels.contiguous(memory_format=torch.channels_last))),
        patches_read_text=places is not None,
        logit_scale=float(model.logit_scale.detach().exp()),
    ))  # fmt: skip


def build_model(folder: Path) -> torch.nn.Module:
    """The architecture that the folder describes, weights at random. Raises FAILED_PRECONDITION."""
    text = _text_config(folder)
    if "hf_model_name" in text:
        if not (folder / "bert" / "config.json").is_file():
            raise broken("the checkpoint lacks bert/config.json, the configuration of its text tower; add it")
        text = {**text, "hf_model_name": str(folder / "bert"), "hf_model_pretrained": False}
    try:
        with _unalarmed():
            return open_clip.create_model(
                f"local-dir:{folder}",
                load_weights=False,
                pretrained_image=False,
                pretrained_text=False,
                require_pretrained=False,
                text_cfg=text,
            )
    except (AssertionError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise broken(f"open_clip cannot build what {CONFIG} describes; fetch it again or mend it") from error


def _text_config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / CONFIG).get("model_cfg")
    text = config.get("text_cfg") if isinstance(config, dict) else None
    if not isinstance(text, dict) or "embed_dim" not in config or "vision_cfg" not in config:
        raise broken(f"the checkpoint's {CONFIG} lacks model_cfg; fetch it again")
    if set(text.get("tokenizer_kwargs") or ()) - {"clean", "strip_sep_token", "language"}:
        # These reach a loader that would run code of the folder if they asked it to.
        raise broken(f"the checkpoint's {CONFIG} sets tokenizer_kwargs beyond clean, strip_sep_token and language")
    return text


def _tensors(model: torch.nn.Module, paths: Sequence[Path]) -> dict[str, torch.Tensor]:
    """What open_clip does to the tensors of a file before it loads them."""
    tensors: dict[str, torch.Tensor] = {}
    for path in paths:
        tensors |= read_tensors(path)
    if tensors and all(name.startswith("module.") for name in tensors):  # saved from several devices at once
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    if "positional_embedding" in tensors and not hasattr(model, "positional_embedding"):
        tensors = convert_to_custom_text_state_dict(tensors)
    for name in ("logit_scale", "logit_bias"):
        if name in tensors and getattr(model, name, None) is not None:
            tensors[name] = tensors[name].reshape(getattr(model, name).shape)
    return tensors


@contextmanager
def _unalarmed() -> Iterator[None]:
    """Without the library's warnings of random weights, which name the folder: ours are filled in right after, and any
    gap is refused."""

    def other(record: logging.LogRecord) -> bool:
        return record.module != "factory"

    root = logging.getLogger()
    root.addFilter(other)
    try:
        yield
    finally:
        root.removeFilter(other)


def build_tokenizer(folder: Path) -> open_clip.tokenizer.HFTokenizer | open_clip.tokenizer.SimpleTokenizer:
    """The folder's own tokenizer, or CLIP's: texts to ``(N, context) int64``. Raises FAILED_PRECONDITION."""
    _text_config(folder)
    try:
        with _unalarmed():
            return open_clip.get_tokenizer(f"local-dir:{folder}")
    except (KeyError, OSError, TypeError, ValueError, ImportError) as error:
        raise broken("the checkpoint's tokenizer cannot be read; fetch its files again") from error


def _recipe(config: PreprocessCfg, at: Checkpoint) -> Recipe:
    """open_clip's inference transform in numbers. Raises FAILED_PRECONDITION for one that is not built here."""
    size = config.size if isinstance(config.size, int) else config.size[0]
    if not isinstance(config.size, int) and len(set(config.size)) != 1:
        raise broken("this encoder's input is no square; only square inputs are supported")
    resample = "bilinear" if config.interpolation == "bilinear" else "bicubic"  # as open_clip reads it
    fits: dict[str, Fit] = {
        "shortest": ShortestEdgeCrop(size, size, resample),
        "longest": LongestEdgePad(size, size, resample, config.fill_color),
        "squash": Squash(size, resample),
    }
    if config.resize_mode not in fits:
        raise broken(f"the checkpoint's {CONFIG} has a resize_mode that open_clip has not; fetch it again")
    return Recipe(
        Levels(at.options.get("levels", "display")), fits[config.resize_mode], tuple(config.mean), tuple(config.std)
    )
