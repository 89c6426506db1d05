"""Image-text encoders in open_clip's local-directory layout: BiomedCLIP, and the bundled ``hilum-cxr-clip``.

A folder holds ``open_clip_config.json``, safetensors weights, the tokenizer, and, for a BERT text tower, that BERT's
``config.json`` under ``bert/``: open_clip itself would ask the hub for it, even offline.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.transform import PreprocessCfg

from services.core.errors import invalid
from services.core.models import ModelSpec
from services.core.types import Film
from services.encoders.checkpoint import broken, load_strict, read_json, sha256, weight_files
from services.encoders.preprocess import ShortestEdgeCrop
from services.encoders.runtime import forward

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
TOKENIZER = ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_UNUSED = ("text.transformer.embeddings.position_ids",)  # BERT files of older transformers carry it


class OpenClipEncoder:
    """An image tower and a text tower that share a space. See ``services.encoders.base.Encoder``."""

    def __init__(self, folder: Path, name: str, revision: str) -> None:
        """Raises FAILED_PRECONDITION when the folder is incomplete or its weights do not fit exactly."""
        weights = weight_files(folder, *WEIGHTS)
        self._model = build_model(folder)
        load_strict(self._model, weights, ignored=_UNUSED)
        self._model.eval().requires_grad_(False)
        self._model.visual.to(memory_format=torch.channels_last)  # convolutions run twice as fast on a CPU
        self._tokenizer = build_tokenizer(folder)
        self.preprocess_film = _preprocessing(PreprocessCfg(**self._model.visual.preprocess_cfg))
        config = read_json(folder / CONFIG)["model_cfg"]
        words = sha256(folder / CONFIG, *(folder / n for n in TOKENIZER if (folder / n).is_file()))
        self._spec = ModelSpec(
            name=name,
            revision=revision,
            weights_sha256=sha256(*weights),
            preprocessing=self.preprocess_film.name,
            pooling="open-clip-image-head",
            dim=int(config["embed_dim"]),
            text_space=f"{name}-text-{words[:12]}",
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
        return forward(
            lambda x: self._model.encode_image(x.contiguous(memory_format=torch.channels_last)), pixels, self._spec.dim
        )

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts to ``(N, D) float32``, L2-normalised; what exceeds the context is cut off."""
        if isinstance(texts, str):
            raise invalid("texts is a list of texts, not one text")
        if not texts:
            return np.empty((0, self._spec.dim), np.float32)
        return forward(self._model.encode_text, self._tokenizer(list(texts)), self._spec.dim)


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


def _preprocessing(config: PreprocessCfg) -> ShortestEdgeCrop:
    """open_clip's inference transform in numbers. Raises FAILED_PRECONDITION for one that is not built here."""
    size = config.size if isinstance(config.size, int) else config.size[0]
    if config.resize_mode != "shortest" or (not isinstance(config.size, int) and len(set(config.size)) != 1):
        raise broken(
            "this encoder resizes in a way that is not supported: only the shortest edge and a square crop are"
        )
    return ShortestEdgeCrop(size, size, tuple(config.mean), tuple(config.std), config.interpolation)
