"""A tiny MedImageInsight in the layout that Azure's model catalogue hands out, with the same weights everywhere."""

from __future__ import annotations

import gzip
import json
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import save_file
from transformers.models.clip.tokenization_clip import CLIPTokenizer

WIDTHS, HEADS, DEPTHS, PATCHES = [8, 16, 32, 64], [1, 2, 4, 8], [1, 1, 2, 1], [7, 3, 3, 3]
TEXT, LAYERS, DIM, SIZE, VOCABULARY = 32, 2, 24, 96, 49408
CONFIG = {
    "IMAGE_ENCODER": {
        "NAME": "davit_v1", "NUM_CLASSES": 0, "IMAGE_SIZE": [SIZE, SIZE],
        "IMAGE_MEAN": [0.485, 0.456, 0.406], "IMAGE_STD": [0.229, 0.224, 0.225], "LOAD_PRETRAINED": False,
        "SPEC": {
            "DROP_RATE": 0.1, "DROP_PATH_RATE": 0.2, "PATCH_SIZE": PATCHES, "PATCH_STRIDE": [4, 2, 2, 2],
            "PATCH_PADDING": [3, 1, 1, 1], "PATCH_PRENORM": [False, True, True, True], "DIM_EMBED": WIDTHS,
            "NUM_HEADS": HEADS, "NUM_GROUPS": HEADS, "DEPTHS": DEPTHS, "WINDOW_SIZE": 12, "ENABLE_CHECKPOINT": False,
        },
    },
    "LANG_ENCODER": {
        "NAME": "transformer", "LOAD_PRETRAINED": False, "TOKENIZER": "clip", "CONTEXT_LENGTH": 77, "WIDTH": TEXT,
        "HEADS": 4, "LAYERS": LAYERS, "AUTOGRESSIVE": False,
    },
    "UNICL_MODEL": {"DIM_PROJECTION": DIM, "LOAD_PRETRAINED": False},
    "AUG": {"INTERPOLATION": "bicubic"}, "TEST": {"CENTER_CROP": False}, "VERBOSE": False,
}  # fmt: skip


def weights() -> dict[str, torch.Tensor]:
    """Tensors under their published names; sines, so that no generator decides what they are."""
    return {name: _wave(name, shape) for name, shape in _shapes()}


def write(folder: Path) -> Path:
    """The files of ``azureml/MedImageInsight``, in small, with the vocabulary of CLIP itself."""
    home = folder / "2024.09.27"
    (home / "vision_model").mkdir(parents=True)
    (home / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    save_file(weights(), home / "vision_model" / "medimageinsigt-v1.0.0.pt")  # the name is theirs, the content too
    write_tokenizer(home / "language_model" / "clip_tokenizer_4.16.2")
    return folder


def as_re_uploaded(folder: Path) -> Path:
    """The same files under the names of the PyPI package."""
    shutil.move(folder / "2024.09.27", folder / "v20240927")
    home = folder / "v20240927"
    (home / "vision_model" / "medimageinsigt-v1.0.0.pt").rename(home / "vision_model" / "medimageinsight-v1.0.0.pt")
    (home / "language_model" / "clip_tokenizer_4.16.2").rename(home / "language_model" / "clip_tokenizer_v4162")
    return folder


def write_tokenizer(at: Path) -> None:
    """``vocab.json`` and ``merges.txt`` of CLIP, from the merges that open_clip ships."""
    import open_clip

    shipped = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    merges = gzip.decompress(shipped.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    letters = list(open_clip.tokenizer.bytes_to_unicode().values())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *(pair.replace(" ", "") for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    at.mkdir(parents=True)
    (at / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False))
    (at / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    special = {
        "bos_token": "<|startoftext|>",
        **dict.fromkeys(("eos_token", "unk_token", "pad_token"), "<|endoftext|>"),
    }
    (at / "special_tokens_map.json").write_text(json.dumps(special))
    settings = {"model_max_length": 77, "tokenizer_class": CLIPTokenizer.__name__, "do_lower_case": True, **special}
    (at / "tokenizer_config.json").write_text(json.dumps(settings))


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    def both(name: str, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", shape
        yield f"{name}.bias", shape[:1]

    for i, width in enumerate(WIDTHS):
        before, stage = ([3, *WIDTHS][i], f"image_encoder.blocks.{i}")
        yield from both(f"image_encoder.convs.{i}.proj", width, before, PATCHES[i], PATCHES[i])
        yield from both(f"image_encoder.convs.{i}.norm", before if i else width)
        for j in range(DEPTHS[i]):
            for kind in ("window", "channel"):
                block = f"{stage}.{j}.{'spatial' if kind == 'window' else 'channel'}_block"
                yield from both(f"{block}.conv1.fn.dw", width, 1, 3, 3)
                yield from both(f"{block}.{kind}_attn.norm", width)
                yield from both(f"{block}.{kind}_attn.fn.qkv", 3 * width, width)
                yield from both(f"{block}.{kind}_attn.fn.proj", width, width)
                yield from both(f"{block}.conv2.fn.dw", width, 1, 3, 3)
                yield from both(f"{block}.ffn.norm", width)
                yield from both(f"{block}.ffn.fn.net.fc1", 4 * width, width)
                yield from both(f"{block}.ffn.fn.net.fc2", width, 4 * width)
    yield from both("image_encoder.norms", WIDTHS[-1])
    yield "image_projection", (WIDTHS[-1], DIM)
    yield "lang_encoder.token_embedding.weight", (VOCABULARY, TEXT)
    yield "lang_encoder.positional_embedding", (77, TEXT)
    for i in range(LAYERS):
        block = f"lang_encoder.resblocks.{i}"
        yield f"{block}.attn.in_proj_weight", (3 * TEXT, TEXT)
        yield f"{block}.attn.in_proj_bias", (3 * TEXT,)
        yield from both(f"{block}.attn.out_proj", TEXT, TEXT)
        yield from both(f"{block}.ln_1", TEXT)
        yield from both(f"{block}.ln_2", TEXT)
        yield from both(f"{block}.mlp.c_fc", 4 * TEXT, TEXT)
        yield from both(f"{block}.mlp.c_proj", TEXT, 4 * TEXT)
    yield from both("lang_encoder.ln_final", TEXT)
    yield "lang_projection", (TEXT, DIM)
    yield "logit_scale", ()


def _wave(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    key = zlib.crc32(name.encode())
    count = int(np.prod(shape, dtype=int))
    # The phase grows with the square, so that rows are not shifted copies of each other.
    steps = np.arange(count, dtype=np.float64)
    values = np.sin(key % 1009 + steps * (1 + key % 997 / 991) + (steps * 0.00137 * (1 + key % 89)) ** 2)
    if len(shape) < 2:
        values = values * 0.3 + (1 if name.endswith("weight") else 0)
    elif "embedding" not in name:
        values *= 1.8 / np.sqrt(np.prod(shape[1:]) if "projection" not in name else shape[0])
    return torch.from_numpy(values.astype(np.float32).reshape(shape)).contiguous()
