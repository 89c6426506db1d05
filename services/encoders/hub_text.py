"""Tokenizers of folders in the layout of the Hugging Face hub: texts to the numbers that a text tower reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Literal

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from transformers import AutoTokenizer

from services.encoders.checkpoint import broken, sha256
from services.encoders.hub_layout import CONFIG
from services.encoders.network import Checkpoint, Tensors, TextTower

Padding = Literal["longest", "max_length"]
VOCABULARIES = (
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
)
SETTINGS = ("merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def read_tokenizer(at: Checkpoint, known: int) -> Any:
    """The folder's own tokenizer. Raises FAILED_PRECONDITION when it is missing or names more than `known` tokens."""
    if not any((at.folder / name).is_file() for name in VOCABULARIES):
        # Without one, the library makes up a tokenizer of five words and says nothing.
        raise broken("the checkpoint has no vocabulary; fetch its tokenizer's files, too")
    try:
        tokenizer = AutoTokenizer.from_pretrained(at.folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # parsers of five formats, each with its own exceptions
        raise broken("the checkpoint's tokenizer cannot be read; fetch its files again") from error
    if len(tokenizer) > known:
        raise broken("the checkpoint's tokenizer has more tokens than its text tower; fetch both again")
    return tokenizer


def text_tower(
    at: Checkpoint,
    tokenizer: Any,
    embed: Callable[[Tensors], torch.Tensor],
    length: int,
    padding: Padding,
    inputs: tuple[str, ...] = ("input_ids", "attention_mask"),
    lower: bool = False,
) -> TextTower:
    """`embed` behind `tokenizer`. What exceeds `length` tokens is cut off, the end token kept.

    padding: to the longest text, or always to `length`.  inputs: what the tower is given.  lower: in small letters.
    """
    settings = f"{length} {padding} {inputs} {lower}".encode()
    files = [at.folder / name for name in (CONFIG, *VOCABULARIES, *SETTINGS) if (at.folder / name).is_file()]
    digest = hashlib.sha256(sha256(*files).encode() + settings).hexdigest()

    def tokenise(texts: list[str]) -> Tensors:
        told = [text.lower() for text in texts] if lower else texts
        tokens = tokenizer(told, padding=padding, max_length=length, truncation=True, return_tensors="pt")
        return {name: tokens[name] for name in inputs if name in tokens}

    return TextTower(f"{at.name}-text-{digest[:12]}", tokenise, embed)
