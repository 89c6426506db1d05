"""Ark+ in its published layout, in small: timm 0.5.4's names, the teacher of a training state, a plain Swin."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import gelu, layer_norm

from services.core.errors import HilumError
from services.core.types import Film
from services.encoders.base import Encoder
from services.encoders.families import load
from services.encoders.network import Checkpoint
from tests.kit.conformance import EXACT, agree_on_films, cosine, films, rgb

SIZE, WINDOW, DEPTHS, HEADS, WIDTH = 64, 2, (2, 1, 2), (1, 2, 2), 16
GRID = SIZE // 4


def coordinates() -> torch.Tensor:
    """(W², W²) which entry of the table of biases a pair of places has."""
    y, x = torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")
    down, across = (t.flatten()[:, None] - t.flatten()[None] + WINDOW - 1 for t in (y, x))
    return down * (2 * WINDOW - 1) + across


def shifted_mask(side: int) -> torch.Tensor:
    """(windows, W², W²) -100 between places that only the shift has brought together."""
    part = torch.zeros(side)
    part[side - WINDOW : side - WINDOW // 2], part[side - WINDOW // 2 :] = 1, 2
    region = part[:, None] * 3 + part[None]
    return (windows(region[..., None])[..., 0][:, :, None] != windows(region[..., None])[..., 0][:, None]) * -100.0


def windows(x: torch.Tensor) -> torch.Tensor:
    """(H, H, C) → (windows, W², C)."""
    n = x.shape[0] // WINDOW
    return x.reshape(n, WINDOW, n, WINDOW, -1).transpose(1, 2).reshape(n * n, WINDOW * WINDOW, -1)


def whole(x: torch.Tensor, side: int) -> torch.Tensor:
    n = side // WINDOW
    return x.reshape(n, n, WINDOW, WINDOW, -1).transpose(1, 2).reshape(side, side, -1)


def teacher() -> dict[str, torch.Tensor]:
    torch.manual_seed(4)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape) * 0.2

    def norm(name: str, width: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": 1 + some(width), f"{name}.bias": some(width)}

    def linear(name: str, out: int, width: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": some(out, width), f"{name}.bias": some(out)}

    w = {"patch_embed.proj.weight": some(WIDTH, 3, 4, 4), "patch_embed.proj.bias": some(WIDTH)}
    w |= norm("patch_embed.norm", WIDTH)
    for stage, (depth, heads) in enumerate(zip(DEPTHS, HEADS, strict=True)):
        width, side = WIDTH * 2**stage, GRID // 2**stage
        for n in range(depth):
            at = f"layers.{stage}.blocks.{n}."
            w |= norm(at + "norm1", width) | norm(at + "norm2", width)
            w |= linear(at + "attn.qkv", 3 * width, width) | linear(at + "attn.proj", width, width)
            w |= linear(at + "mlp.fc1", 4 * width, width) | linear(at + "mlp.fc2", width, 4 * width)
            w[at + "attn.relative_position_bias_table"] = some((2 * WINDOW - 1) ** 2, heads)
            w[at + "attn.relative_position_index"] = coordinates()
            if n % 2:
                w[at + "attn_mask"] = shifted_mask(side)
        if stage < len(DEPTHS) - 1:
            w |= norm(f"layers.{stage}.downsample.norm", 4 * width)
            w[f"layers.{stage}.downsample.reduction.weight"] = some(2 * width, 4 * width)
    last = WIDTH * 2 ** (len(DEPTHS) - 1)
    w |= norm("norm", last) | linear("head", 1000, 24) | linear("projector", 24, last)
    for task, classes in enumerate((14, 14, 3)):
        w |= linear(f"omni_heads.{task}", classes, 24)
    return w


@torch.no_grad()
def last_layer(film: Film, w: dict[str, torch.Tensor]) -> torch.Tensor:
    """(h, h, C) after the last norm, as the Swin paper (arXiv 2103.14030) has it."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    pixels = np.asarray(rgb(film).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) / 255.0
    pixels = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    cells = torch.tensor(pixels, dtype=torch.float32).reshape(GRID, 4, GRID, 4, 3).permute(0, 2, 4, 1, 3)
    x = cells.reshape(GRID, GRID, -1) @ w["patch_embed.proj.weight"].reshape(WIDTH, -1).T + w["patch_embed.proj.bias"]
    x = norm(x, "patch_embed.norm")
    for stage, (depth, heads) in enumerate(zip(DEPTHS, HEADS, strict=True)):
        side = x.shape[0]
        for n in range(depth):
            at, shift = f"layers.{stage}.blocks.{n}.", WINDOW // 2 * (n % 2)
            h = windows(norm(x, at + "norm1").roll((-shift, -shift), (0, 1)))
            q, k, v = linear(h, at + "attn.qkv").unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
            weights = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
            weights = weights + w[at + "attn.relative_position_bias_table"][coordinates()].permute(2, 0, 1)
            if shift:
                weights = weights + shifted_mask(side)[:, None]
            h = (weights.softmax(-1) @ v).transpose(1, 2).flatten(2)
            x = x + whole(linear(h, at + "attn.proj"), side).roll((shift, shift), (0, 1))
            x = x + linear(gelu(linear(norm(x, at + "norm2"), at + "mlp.fc1")), at + "mlp.fc2")
        if stage < len(DEPTHS) - 1:  # at the end of a stage: four neighbours, column after column
            at = f"layers.{stage}.downsample"
            x = torch.cat([x[::2, ::2], x[1::2, ::2], x[::2, 1::2], x[1::2, 1::2]], -1)
            x = norm(x, at + ".norm") @ w[at + ".reduction.weight"].T
    return norm(x, "norm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training state as the authors' engine saves it, trained on several devices."""
    at = tmp_path_factory.mktemp("ark")
    states = {"teacher": teacher(), "state_dict": {name: t * 0 for name, t in teacher().items()}}
    torch.save({
        "epoch": 50, "lossMIN": [0.1, 0.2], "optimizer": {"state": {}}, "scheduler": {"metric": "loss"},
        **{key: {"module." + name: t for name, t in state.items()} for key, state in states.items()},
    }, at / "Ark6_swinLarge768_ep50.pth.tar")  # fmt: skip
    return at


def opened(at: Path, **options: object) -> Encoder:
    return load("ark", Checkpoint(at, "ark-plus", "test", options))


def test_vectors_are_those_of_the_authors_generate_embeddings(folder: Path) -> None:
    w = teacher()

    def projected(film: Film) -> np.ndarray:
        return (last_layer(film, w).mean((0, 1)) @ w["projector.weight"].T + w["projector.bias"]).numpy()

    encoder = opened(folder)
    assert encoder.spec.dim == 24 and encoder.spec.preprocessing.startswith("display-squash-64-bicubic")
    agree_on_films(encoder, projected)
    agree_on_films(opened(folder, vector="encoder"), lambda film: last_layer(film, w).mean((0, 1)).numpy())
    found = opened(folder, vector="encoder").encode_patches([encoder.preprocess(films()[1])])  # type: ignore[attr-defined]
    assert not found.reads_text and cosine(found.grid[0], last_layer(films()[1], w).numpy()).min() >= EXACT


def test_what_is_no_such_network_is_refused(folder: Path, tmp_path: Path) -> None:
    for change, message in (
        ({"layers.1.downsample.reduction.weight": None}, "1 missing"), ({"extra": torch.ones(1)}, "1 unexpected"),
        ({"projector.weight": None}, "vector=encoder"), ({"patch_embed.proj.weight": None}, "no Ark"),
    ):  # fmt: skip
        w = {name: t for name, t in {**teacher(), **change}.items() if t is not None}
        torch.save({"teacher": w}, tmp_path / "x.pth.tar")
        with pytest.raises(HilumError, match=message):
            opened(tmp_path)
    with pytest.raises(HilumError, match="vector"):
        opened(folder, vector="heads")
