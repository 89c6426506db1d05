"""Tiny checkpoints with a text tower, in the layout in which the Hugging Face hub serves them. Weights are random."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import sentencepiece
import torch
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def sentences() -> Iterator[str]:
    for size in ("no", "small", "large", "moderate", "left", "right"):
        for finding in ("pleural effusion", "pneumothorax", "consolidation", "cardiomegaly", "edema", "nodule"):
            for tail in ("is seen", "with opacity", "in lung base", "chest x ray"):
                yield f"{size} {finding} {tail}"


def enliven(model: torch.nn.Module, spread: float = 0.3) -> None:
    """Every parameter at random. Libraries begin biases at 0 and norms at 1, so that a forgotten one goes unnoticed."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in model.named_parameters():
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            value.copy_(centre + torch.randn_like(value) * (spread if value.ndim > 1 else spread / 3))


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def siglip_tokenizer(at: Path, **settings: Any) -> None:
    """MedSigLIP's: sentencepiece, padded with its end token."""
    spiece = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sentences(), model_writer=spiece, vocab_size=120, model_type="unigram", pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, pad_piece="<pad>", eos_piece="</s>", hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    (at / "spiece.model").write_bytes(spiece.getvalue())
    special = {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    write_json(at / "special_tokens_map.json", special)
    write_json(at / "tokenizer_config.json", {
        **special, "do_lower_case": True, "model_input_names": ["input_ids"], "model_max_length": 64,
        "processor_class": "SiglipProcessor", "tokenizer_class": "SiglipTokenizer", **settings,
    })  # fmt: skip


def siglip(at: Path, size: int = 56, context: int = 64) -> Path:
    """``google/medsiglip-448`` in small."""
    at.mkdir(parents=True, exist_ok=True)
    siglip_tokenizer(at)
    write_json(at / "preprocessor_config.json", {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
        "image_processor_type": "SiglipImageProcessor", "processor_class": "SiglipProcessor", "resample": 3,
        "rescale_factor": 1 / 255, "size": {"height": size, "width": size},
    })  # fmt: skip
    text = {"vocab_size": 120, "max_position_embeddings": context, "projection_size": 32}
    model = SiglipModel(SiglipConfig(
        vision_config={**TOWER, "image_size": size, "patch_size": 14},
        text_config={**TOWER, **text, "pad_token_id": 1, "bos_token_id": None, "eos_token_id": 1},
    ))  # fmt: skip
    enliven(model)
    model.save_pretrained(at)
    return at


def clip_tokenizer(at: Path, pad: str = "<|endoftext|>") -> int:
    """CLIP's byte-pair tokens, by letters; returns how many. The end token has the highest number, as in CLIP's own."""
    letters = [*(chr(c) for c in range(ord("a"), ord("z") + 1)), *"0123456789,.?"]
    tokens = ["!", *letters, *(f"{c}</w>" for c in letters), "ef", "fu", "effu</w>", "<|startoftext|>", "<|endoftext|>"]
    write_json(at / "vocab.json", {token: number for number, token in enumerate(tokens)})
    (at / "merges.txt").write_text("#version: 0.2\ne f\nf u\n", encoding="utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    write_json(at / "special_tokens_map.json", {**special, "pad_token": pad})
    write_json(at / "tokenizer_config.json", {
        **special, "pad_token": pad, "do_lower_case": True, "errors": "replace", "model_max_length": 24,
        "tokenizer_class": CLIPTokenizer.__name__,
    })  # fmt: skip
    return len(tokens)


def clip(at: Path, size: int = 64, legacy: bool = True, pad: str = "<|endoftext|>") -> Path:
    """``StanfordAIMI/XrayCLIP…`` in small. legacy: the text tower's end token is written as 2, as old files have it."""
    at.mkdir(parents=True, exist_ok=True)
    count = clip_tokenizer(at, pad)
    write_json(at / "preprocessor_config.json", {
        "do_center_crop": False, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "CLIPImageProcessor", "resample": 3, "rescale_factor": 1 / 255,
        "size": {"height": size, "width": size},
    })  # fmt: skip
    end = 2 if legacy else count - 1
    model = CLIPModel(CLIPConfig(
        projection_dim=24,
        vision_config={**TOWER, "image_size": size, "patch_size": 16},
        text_config={**TOWER, "vocab_size": count, "max_position_embeddings": 24, "eos_token_id": end,
                     "bos_token_id": count - 2, "pad_token_id": 1},
    ))  # fmt: skip
    enliven(model)
    model.save_pretrained(at)
    return at
