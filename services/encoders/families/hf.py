"""Any model of transformers that sees pictures, by what its user says of it; its own code only, never a folder's.

Image-only models need the option ``pooling``: ``cls``, the first token after the last norm; ``mean``, of the patches
without class and register tokens; ``pooler``, the model's own ``pooler_output``. Nothing is guessed, and a pooler whose
weights the checkpoint lacks is refused. Models with two towers (``get_image_features``, ``get_text_features``) need no
option. Every model is tried once as it is loaded: what comes out decides shapes, and must come out again.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from torch.nn.functional import cosine_similarity
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from services.core.errors import invalid
from services.encoders.checkpoint import broken, read_json
from services.encoders.families import clip_hf, siglip
from services.encoders.hub_layout import CONFIG, load_model, read_recipe, weights_of
from services.encoders.hub_text import read_tokenizer, text_tower
from services.encoders.network import Checkpoint, Network, TextTower, TorchEncoder
from services.encoders.preprocess import Levels, Recipe

_EXACTLY = {"siglip": siglip.load, "clip": clip_hf.load}  # families of their own
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def load(at: Checkpoint) -> TorchEncoder:
    """Options: ``pooling`` for image-only models; for two towers ``padding``, ``longest`` (default) or ``max_length``,
    and ``max_length``; ``levels``, ``display`` (default) or ``full``.

    Raises INVALID_ARGUMENT for options that do not suit the model, FAILED_PRECONDITION for an unfit folder.
    """
    config, cls = _architecture(at)
    if not all(hasattr(cls, name) for name in ("get_image_features", "get_text_features")):
        return TorchEncoder(at, _image_only(at, config, cls))
    if "pooling" in at.options:
        raise invalid("a model with a text tower has its own pooling; leave the option away")
    if config.model_type in _EXACTLY:
        return _EXACTLY[config.model_type](at)
    return TorchEncoder(at, _two_towers(at, config, cls))


def _architecture(at: Checkpoint) -> tuple[Any, Any]:
    """The configuration and the class of transformers that it belongs to."""
    read_json(at.folder / CONFIG)
    try:
        config = AutoConfig.from_pretrained(at.folder, local_files_only=True, trust_remote_code=False)
        cls = MODEL_MAPPING[type(config)]
    except (StrictDataclassError, ValueError, KeyError, TypeError, ImportError, OSError) as error:
        raise broken("transformers knows no architecture of this config.json; code in a folder is not run") from error
    return config, cls[0] if isinstance(cls, tuple) else cls


def _image_only(at: Checkpoint, config: Any, cls: Any) -> Network:
    if "pooling" not in at.options:
        raise invalid("say how this model's vector is pooled: option pooling=cls, pooling=mean or pooling=pooler")
    pooling = at.option("pooling", "cls", "mean", "pooler")
    choosable = "add_pooling_layer" in inspect.signature(cls.__init__).parameters
    settings = {"add_pooling_layer": pooling == "pooler"} if choosable else {}
    model = load_model(cls, at.folder, config, heads=True, **settings)
    recipe = read_recipe(at.folder, Levels(at.option("levels", "display", "full")))
    trial = _trial(recipe)
    try:
        seen = model(pixel_values=trial)
        hidden = seen.last_hidden_state
        grid, prefix = _layout(hidden, trial.shape[-1], config)
    except Exception as error:  # an architecture can refuse a picture in any way
        raise broken("this architecture does not take a picture as its image processor leaves it") from error
    if pooling == "cls" and prefix < 1:
        raise invalid("this model has no class token; choose pooling=mean or pooling=pooler")
    if pooling == "pooler" and getattr(seen, "pooler_output", None) is None:
        raise invalid("this model has no pooler; choose pooling=cls or pooling=mean")

    def places(pixels: torch.Tensor) -> torch.Tensor:
        hidden = model(pixel_values=pixels).last_hidden_state
        return hidden.flatten(2).transpose(1, 2) if hidden.ndim == 4 else hidden

    def image(pixels: torch.Tensor) -> torch.Tensor:
        if pooling == "pooler":
            return model(pixel_values=pixels).pooler_output.flatten(1)
        return places(pixels)[:, 0] if pooling == "cls" else places(pixels)[:, prefix:].mean(1)

    vector = image(trial)
    _same(vector, image(trial))
    return Network(
        module=model, weights=weights_of(at.folder), recipe=recipe, image=image, pooling=pooling, dim=vector.shape[1],
        patches=(lambda pixels: places(pixels)[:, prefix:].unflatten(1, grid)) if grid else None,
    )  # fmt: skip


def _layout(hidden: torch.Tensor, size: int, config: Any) -> tuple[tuple[int, int] | None, int]:
    """The patches' grid, where there is one, and how many tokens stand before them."""
    if hidden.ndim == 4:  # (N, C, h, w): a convolutional network
        return (hidden.shape[2], hidden.shape[3]), 0
    count, patch = hidden.shape[1], getattr(config, "patch_size", None)
    side = size // patch if isinstance(patch, int) and patch > 0 else 0
    if side and 0 <= count - side * side < count:
        return (side, side), count - side * side
    for prefix in (0, 1):  # shrinking windows leave a smaller square, with one token before it or none
        side = math.isqrt(count - prefix)
        if side and side * side == count - prefix:
            return (side, side), prefix
    return None, 0


def _two_towers(at: Checkpoint, config: Any, cls: Any) -> Network:
    model = load_model(cls, at.folder, config)
    recipe = read_recipe(at.folder, Levels(at.option("levels", "display", "full")))
    taken = inspect.signature(model.get_text_features).parameters

    def words(part: Any) -> torch.Tensor:
        return _vector(model.get_text_features(**part))

    def image(pixels: torch.Tensor) -> torch.Tensor:
        return _vector(model.get_image_features(pixel_values=pixels))

    tokenizer = read_tokenizer(at, int(config.text_config.vocab_size))
    text = text_tower(
        at, tokenizer, words, _length(at, config, tokenizer), at.option("padding", "longest", "max_length"),
        inputs=tuple(name for name in _INPUTS if name in taken),
    )  # fmt: skip
    try:
        vectors = _compared(model, image, text, _trial(recipe))
    except Exception as error:
        raise broken("this architecture does not take pictures and texts as its processors leave them") from error
    for own, found in vectors:
        _same(found, own)
    scale = getattr(model, "logit_scale", None)
    return Network(
        module=model,
        weights=weights_of(at.folder),
        recipe=recipe,
        image=image,
        pooling=f"{config.model_type}-features",
        dim=vectors[0][1].shape[1],
        text=text,
        logit_scale=float(scale.exp()) if isinstance(scale, torch.Tensor) else None,
    )


def _compared(model: Any, image: Any, text: TextTower, trial: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For pictures and for texts: the vectors that the model itself compares, and those that would be stored."""
    tokens = text.tokenise(["pleural effusion", "normal chest " * 1000])  # cut off at the context's end
    whole = model(pixel_values=trial, **tokens)
    return [(whole.image_embeds, image(trial)), (whole.text_embeds, text.embed(tokens))]


def _vector(features: Any) -> torch.Tensor:
    """transformers returned a tensor up to version 4, and returns an output with the vector in it since."""
    return features if isinstance(features, torch.Tensor) else features.pooler_output


def _length(at: Checkpoint, config: Any, tokenizer: Any) -> int:
    known = min(int(config.text_config.max_position_embeddings), int(tokenizer.model_max_length))
    try:
        chosen = int(at.options.get("max_length", known))
    except ValueError as error:
        raise invalid("the option max_length is a number of tokens") from error
    if not 2 <= chosen <= known:
        raise invalid(f"the option max_length lies between 2 and {known} for this model")
    return chosen


def _trial(recipe: Recipe) -> torch.Tensor:
    """``(2, C, S, S)``: two films of noise, by the model's own recipe."""
    films = np.random.default_rng(0).integers(0, 256, (2, 512, 512), np.uint8)
    return torch.from_numpy(recipe.normalised(np.stack([recipe.fit(film) for film in films])))


def _same(found: torch.Tensor, again: torch.Tensor) -> None:
    """Raises FAILED_PRECONDITION unless two readings of the same input agree."""
    if found.shape != again.shape or found.ndim != 2 or float(cosine_similarity(found, again).min()) < 0.9999:
        raise broken("this architecture gives one picture or text more than one vector; it cannot be searched")
