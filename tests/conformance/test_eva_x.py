"""EVA-X in its published layout, in small, against EVA-02 as its paper and its authors' names have it."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import layer_norm, silu
from torchvision import transforms

from services.core.errors import HilumError
from services.core.types import Film
from services.encoders.base import Encoder
from services.encoders.families import load
from services.encoders.network import Checkpoint
from tests.kit.conformance import EXACT, agree_on_films, cosine, films, rgb

WIDTH, HEADS, DEPTH, HIDDEN = 128, 2, 2, int(128 * 4 * 2 / 3)
PIXELS = transforms.Compose([
    transforms.Resize(256, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224), transforms.ToTensor(),
    transforms.Normalize([0.49185243] * 3, [0.28509309] * 3),
])  # fmt: skip


def tensors(kind: str) -> dict[str, torch.Tensor]:
    """A masked-image-modelling checkpoint's names: tiny and small pack their projections, base has them apart."""
    torch.manual_seed(3)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape) * 0.15

    w = {
        "cls_token": some(1, 1, WIDTH), "mask_token": some(1, 1, WIDTH), "pos_embed": some(1, 197, WIDTH),
        "patch_embed.proj.weight": some(WIDTH, 3, 16, 16) / 4, "patch_embed.proj.bias": some(WIDTH),
        "norm.weight": 1 + some(WIDTH), "norm.bias": some(WIDTH), "lm_head.weight": some(768, WIDTH),
        "lm_head.bias": some(768), "rope.freqs_cos": some(196, 64), "rope.freqs_sin": some(196, 64),
    }  # fmt: skip
    for n in range(DEPTH):
        at = f"blocks.{n}."
        w |= {f"{at}norm{i}.{part}": some(WIDTH) + (part == "weight") for i in (1, 2) for part in ("weight", "bias")}
        w |= {f"{at}attn.{bias}_bias": some(WIDTH) for bias in "qv"}
        w |= {f"{at}attn.proj.weight": some(WIDTH, WIDTH), f"{at}attn.proj.bias": some(WIDTH),
              f"{at}attn.rope.freqs_cos": some(196, 64),
              f"{at}mlp.w3.weight": some(WIDTH, HIDDEN), f"{at}mlp.w3.bias": some(WIDTH)}  # fmt: skip
        if kind == "base":
            w |= {f"{at}attn.{name}_proj.weight": some(WIDTH, WIDTH) for name in "qkv"}
            w |= {f"{at}mlp.ffn_ln.weight": 1 + some(HIDDEN), f"{at}mlp.ffn_ln.bias": some(HIDDEN)}
            w |= {f"{at}mlp.w{i}.weight": some(HIDDEN, WIDTH) for i in (1, 2)}
            w |= {f"{at}mlp.w{i}.bias": some(HIDDEN) for i in (1, 2)}
        else:
            w |= {f"{at}attn.qkv.weight": some(3 * WIDTH, WIDTH)}
            w |= {f"{at}mlp.w12.weight": some(2 * HIDDEN, WIDTH), f"{at}mlp.w12.bias": some(2 * HIDDEN)}
    return w


def turned(x: torch.Tensor) -> torch.Tensor:
    """Rotary positions on a grid of 14 x 14: half of a head's channels turn by row, half by column, in pairs."""
    speeds = 10_000.0 ** -(torch.arange(0, 32, 2)[:16] / 32)
    at = torch.arange(14).float()[:, None] * speeds  # (14, 16)
    angles = torch.cat([at.repeat_interleave(2, 1)[:, None].expand(14, 14, 32),
                        at.repeat_interleave(2, 1)[None].expand(14, 14, 32)], -1).reshape(196, 64)  # fmt: skip
    crossed = torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2)
    return x * angles.cos() + crossed * angles.sin()


@torch.no_grad()
def last_layer(film: Film, w: dict[str, torch.Tensor]) -> torch.Tensor:
    """(197, WIDTH) tokens before the last norm."""
    pixels = PIXELS(rgb(film))
    cells = pixels.unflatten(1, (14, 16)).unflatten(3, (14, 16)).permute(1, 3, 0, 2, 4).reshape(196, -1)
    x = cells @ w["patch_embed.proj.weight"].reshape(WIDTH, -1).T + w["patch_embed.proj.bias"]
    x = torch.cat([w["cls_token"][0], x]) + w["pos_embed"][0]
    for n in range(DEPTH):
        b = {name.removeprefix(f"blocks.{n}."): t for name, t in w.items() if name.startswith(f"blocks.{n}.")}
        h = layer_norm(x, (WIDTH,), b["norm1.weight"], b["norm1.bias"], 1e-6)
        if "attn.qkv.weight" in b:
            q, k, v = (h @ b["attn.qkv.weight"].T).chunk(3, 1)
        else:
            q, k, v = (h @ b[f"attn.{name}_proj.weight"].T for name in "qkv")
        q, v = q + b["attn.q_bias"], v + b["attn.v_bias"]  # keys have no bias
        q, k, v = (t.unflatten(1, (HEADS, 64)).transpose(0, 1) for t in (q, k, v))
        q, k = (torch.cat([t[:, :1], turned(t[:, 1:])], 1) for t in (q, k))
        mixed = ((q @ k.transpose(1, 2) / 8).softmax(-1) @ v).transpose(0, 1).flatten(1)
        x = x + mixed @ b["attn.proj.weight"].T + b["attn.proj.bias"]
        h = layer_norm(x, (WIDTH,), b["norm2.weight"], b["norm2.bias"], 1e-6)
        if "mlp.w12.weight" in b:
            gate, value = (h @ b["mlp.w12.weight"].T + b["mlp.w12.bias"]).chunk(2, 1)
        else:
            gate, value = (h @ b[f"mlp.w{i}.weight"].T + b[f"mlp.w{i}.bias"] for i in (1, 2))
        h = silu(gate) * value
        if "mlp.ffn_ln.weight" in b:
            h = layer_norm(h, (HIDDEN,), b["mlp.ffn_ln.weight"], b["mlp.ffn_ln.bias"], 1e-6)
        x = x + h @ b["mlp.w3.weight"].T + b["mlp.w3.bias"]
    return x


def normed(x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
    return layer_norm(x, (WIDTH,), w["norm.weight"], w["norm.bias"], 1e-6)


def opened(at: Path, **options: object) -> Encoder:
    return load("eva-x", Checkpoint(at, "eva-x", "test", options))


@pytest.mark.parametrize(("kind", "under"), [("small", "module"), ("base", "model"), ("small", None)])
def test_vectors_are_those_of_eva02(tmp_path: Path, kind: str, under: str | None) -> None:
    w = tensors(kind)
    content = {under: w, "epoch": 600, "args": argparse.Namespace(lr=1e-3)} if under else w
    torch.save(content, tmp_path / f"eva_x_{kind}_patch16_merged520k_mim.pt")
    encoder = opened(tmp_path)
    assert encoder.spec.dim == WIDTH and encoder.spec.text_space is None
    agree_on_films(encoder, lambda film: normed(last_layer(film, w)[1:].mean(0), w).numpy())
    agree_on_films(opened(tmp_path, pooling="cls"), lambda film: normed(last_layer(film, w)[0], w).numpy())
    for pooling in ("mean", "cls"):
        found = opened(tmp_path, pooling=pooling).encode_patches([encoder.preprocess(films()[0])])  # type: ignore[attr-defined]
        wanted = normed(last_layer(films()[0], w)[1:], w).reshape(14, 14, -1).numpy()
        assert not found.reads_text and cosine(found.grid[0], wanted).min() >= EXACT


def test_what_is_no_such_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HilumError, match=r"one \.pt"):
        opened(tmp_path)
    w = tensors("small")
    path = tmp_path / "x.pt"
    for change, message in (
        ({"blocks.1.attn.q_bias": None}, "1 missing"), ({"head2.weight": torch.ones(1)}, "1 unexpected"),
        ({"pos_embed": torch.zeros(1, 577, WIDTH)}, "224"), ({"pos_embed": None}, "no EVA-X"),
    ):  # fmt: skip
        torch.save({name: t for name, t in {**w, **change}.items() if t is not None}, path)
        with pytest.raises(HilumError, match=message):
            opened(tmp_path)
    torch.save(w, path)
    with pytest.raises(HilumError, match="pooling"):
        opened(tmp_path, pooling="max")
    assert np.isfinite(opened(tmp_path).encode_images([opened(tmp_path).preprocess(films()[0])])).all()
