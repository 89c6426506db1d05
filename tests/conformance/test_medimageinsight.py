"""MedImageInsight's layouts and recipes, on a tiny network; what the published package makes of it is kept."""

from __future__ import annotations

import io
import json
import logging
import sys
import types
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional as F  # noqa: N812 - everybody's name for it
from torchvision import transforms as T  # noqa: N812

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.base import Encoder, SeesPatches
from services.encoders.families import load
from services.encoders.microsoft import SplineSquash, recipe
from services.encoders.network import Checkpoint
from tests.kit.conformance import TEXTS, agree_on_films, agree_on_texts, cosine, films, rgb
from tests.kit.medimageinsight import CONFIG, DEPTHS, HEADS, LAYERS, SIZE, as_re_uploaded, weights, write

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KEPT = Path(__file__).parent / "data" / "medimageinsight.json"
VISION = "2024.09.27/vision_model/medimageinsigt-v1.0.0.pt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("medimageinsight"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load("medimageinsight", Checkpoint(folder, "medimageinsight", "test"))


def test_vectors_are_those_of_the_published_network(encoder: Encoder) -> None:
    """As the papers draw it, on the published tensors; torchvision prepares the film as the package does."""
    tensors = weights()
    prepare = T.Compose([T.Resize((SIZE, SIZE), T.InterpolationMode.BICUBIC), T.ToTensor(), T.Normalize(MEAN, STD)])
    agree_on_films(encoder, lambda film: _image(tensors, prepare(rgb(film))[None])[0].numpy())


def test_words_are_read_as_by_the_published_network(encoder: Encoder) -> None:
    tensors, tokenizer = weights(), open_clip.tokenizer.SimpleTokenizer(context_length=77)

    def reference(text: str) -> np.ndarray:
        ids = torch.tensor([49406, *tokenizer.encode(text)[:75], 49407])
        return _text(tensors, ids).numpy()

    agree_on_texts(encoder, reference, (*TEXTS, "x-ray chest anteroposterior Pneumonia"))


def test_vectors_are_those_of_the_published_package(encoder: Encoder) -> None:
    """`data/medimageinsight.json` is what PyPI's medimageinsights 0.1.1 made of the same weights, films and texts."""
    kept = json.loads(KEPT.read_text())
    found = encoder.encode_images([encoder.preprocess(film) for film in _shapes()])
    assert cosine(found, np.array(kept["images"], np.float32)).min() >= 0.99999
    assert cosine(encoder.encode_texts(TEXTS), np.array(kept["texts"], np.float32)).min() >= 0.99999


def test_the_numbers_kept_are_the_packages_own(folder: Path) -> None:
    """Where the package is installed (medimageinsights mup yacs fvcore iopath termcolor tabulate tenacity einops)."""
    pytest.importorskip("MedImageInsights", reason="the published package is not installed", exc_type=ImportError)
    kept = json.loads(KEPT.read_text())
    for name, vectors in by_the_package(folder).items():
        np.testing.assert_allclose(kept[name], vectors, atol=1e-5)


def test_both_layouts_are_one_model(encoder: Encoder, tmp_path: Path) -> None:
    other = load("medimageinsight", Checkpoint(as_re_uploaded(write(tmp_path)), "medimageinsight", "test"))
    assert other.spec == encoder.spec
    direct = load("medimageinsight", Checkpoint(tmp_path / "v20240927", "medimageinsight", "test"))
    assert direct.spec == encoder.spec


def test_an_older_generation_of_names_is_the_same_network(encoder: Encoder, tmp_path: Path) -> None:
    write(tmp_path)
    older = {
        "image_encoder.convs": "visual.conv_embeds", "image_encoder.blocks": "visual.main_blocks",
        "image_encoder.": "visual.", "lang_encoder.": "text.", "image_projection": "vision_projection",
        "lang_projection": "text_projection", "spatial_block": "0", "channel_block": "1", "conv1.fn.dw": "cpe.0.proj",
        "conv2.fn.dw": "cpe.1.proj", "window_attn.norm": "norm1", "channel_attn.norm": "norm1",
        "window_attn.fn": "attn", "channel_attn.fn": "attn", "ffn.norm": "norm2", "ffn.fn.net": "mlp",
    }  # fmt: skip

    def old(name: str) -> str:
        return reduce(lambda found, new: found.replace(new, older[new]), older, name)

    save_file({old(name): tensor for name, tensor in weights().items()}, tmp_path / VISION)
    found = load("medimageinsight", Checkpoint(tmp_path, "medimageinsight", "test"))
    pixels = [encoder.preprocess(film) for film in films()]
    np.testing.assert_array_equal(found.encode_images(pixels), encoder.encode_images(pixels))


@pytest.mark.parametrize("spoil", ["no weights", "missing", "unexpected", "misshapen", "a pickle", "truncated"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, spoil: str, caplog: pytest.LogCaptureFixture) -> None:
    """The published package logs a warning and computes with random weights."""
    file = write(tmp_path) / VISION
    tensors = load_file(file)
    if spoil == "missing":
        del tensors["image_encoder.norms.bias"]
    elif spoil == "unexpected":
        tensors["image_encoder.head.weight"] = torch.zeros(3)
    elif spoil == "misshapen":
        tensors["lang_projection"] = torch.zeros(32, 25)
    save_file(tensors, file)
    if spoil == "no weights":
        file.unlink()
    elif spoil == "a pickle":
        torch.save({"model": Evil()}, file)
    elif spoil == "truncated":
        file.write_bytes(file.read_bytes()[:-1000])
    with caplog.at_level(logging.DEBUG), pytest.raises(HilumError) as error:
        load("medimageinsight", Checkpoint(tmp_path, "medimageinsight", "test"))
    assert error.value.code is ErrorCode.FAILED_PRECONDITION
    assert str(tmp_path) not in error.value.client_message


class Evil:
    """Unpickling it would end the test run."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return sys.exit, ("executed",)


@pytest.mark.parametrize("spoil", ["config.yaml", "language_model/clip_tokenizer_4.16.2/merges.txt"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, spoil: str) -> None:
    (write(tmp_path) / "2024.09.27" / spoil).unlink()
    with pytest.raises(HilumError, match=spoil.split("/", maxsplit=1)[0]):
        load("medimageinsight", Checkpoint(tmp_path, "medimageinsight", "test"))


@pytest.mark.parametrize("section, key, value", [
    ("IMAGE_ENCODER", "NAME", "coswin"), ("IMAGE_ENCODER", "IMAGE_SIZE", [96, 64]),
    ("LANG_ENCODER", "AUTOGRESSIVE", True), ("LANG_ENCODER", "LAYERS", None),
])  # fmt: skip
def test_a_network_that_is_another_is_refused(tmp_path: Path, section: str, key: str, value: object) -> None:
    import yaml

    write(tmp_path)
    config = {**CONFIG, section: {**CONFIG[section], key: value}}
    (tmp_path / "2024.09.27" / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(HilumError) as error:
        load("medimageinsight", Checkpoint(tmp_path, "medimageinsight", "test"))
    assert error.value.code is ErrorCode.FAILED_PRECONDITION


def test_the_mcp_servers_recipe(folder: Path) -> None:
    """RGB, 512 bicubic, percentiles 5–95 of all channels, JPEG at quality 75; then the network's own squash."""
    encoder = load("medimageinsight", Checkpoint(folder, "medimageinsight", "test", {"preprocessing": "mcp"}))
    tensors = weights()

    def reference(film: Film) -> np.ndarray:
        pixels = np.asarray(rgb(film).resize((512, 512), Image.Resampling.BICUBIC), np.float32)
        low, high = np.percentile(pixels, (5.0, 95.0))
        sent = np.clip((pixels - low) / max(high - low, 1e-6) * 255.0, 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(sent).save(file, format="JPEG", quality=75)
        got = Image.open(file).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        return _image(tensors, T.Compose([T.ToTensor(), T.Normalize(MEAN, STD)])(got)[None])[0].numpy()

    agree_on_films(encoder, reference)


def test_the_toolkits_resize_is_scikit_images() -> None:
    """Numbers by scikit-image 0.26: resize(film, (6, 6), order=3, mode="constant", preserve_range=True,
    anti_aliasing=True) of a 23 x 17 film, truncated; and upwards, of its corner."""
    film = _shapes()[1].display[:23, :17]
    kept = json.loads(KEPT.read_text())["scikit-image"]
    assert np.abs(SplineSquash(6)(film).astype(int) - kept["down"]).max() <= 1
    assert np.abs(SplineSquash(6)(film[:4, :5]).astype(int) - kept["up"]).max() <= 1


def test_the_toolkit_stretches_modality_values_and_leaves_pictures_alone() -> None:
    toolkit = recipe("toolkit", SIZE, MEAN, STD)
    picture = films()[0]
    np.testing.assert_array_equal(toolkit.levels(picture), picture.display)
    deep = films()[-1]
    low, high = np.percentile(deep.full, [1, 99])
    wanted = ((np.clip(deep.full, low, high) - low) / (high - low) * 255).astype(np.uint8)
    np.testing.assert_array_equal(toolkit.levels(deep), wanted)


def test_every_variant_is_a_space_of_its_own(folder: Path) -> None:
    specs = [
        load("medimageinsight", Checkpoint(folder, "m", "test", {"preprocessing": variant})).spec
        for variant in ("card", "toolkit", "mcp")
    ]
    assert len({spec.fingerprint for spec in specs}) == 3
    with pytest.raises(HilumError, match="card, toolkit, mcp"):
        load("medimageinsight", Checkpoint(folder, "m", "test", {"preprocessing": "guess"}))


def test_it_also_says_what_is_where(encoder: Encoder) -> None:
    assert isinstance(encoder, SeesPatches)
    found = encoder.encode_patches([encoder.preprocess(film) for film in films()[:2]])
    assert found.grid.shape == (2, SIZE // 32, SIZE // 32, 64) and not found.reads_text


def _image(w: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """``(1, 3, S, S)`` → ``(1, D)``: DaViT with depthwise positions, then the normed mean through the projection."""
    for i, patch in enumerate((7, 3, 3, 3)):
        conv = f"image_encoder.convs.{i}"
        x = x if i == 0 else _norm(w, f"{conv}.norm", x)
        x = F.conv2d(x, w[f"{conv}.proj.weight"], w[f"{conv}.proj.bias"], stride=4 if i == 0 else 2, padding=patch // 2)
        x = _norm(w, f"{conv}.norm", x) if i == 0 else x
        for j in range(DEPTHS[i]):
            for kind, attend in (("spatial", _windows), ("channel", _channels)):
                at = f"image_encoder.blocks.{i}.{j}.{kind}_block"
                attention = f"{at}.{'window' if kind == 'spatial' else 'channel'}_attn"
                x = _depthwise(w, f"{at}.conv1.fn.dw", x)
                x = x + attend(w, f"{attention}.fn", _norm(w, f"{attention}.norm", x), HEADS[i])
                x = _depthwise(w, f"{at}.conv2.fn.dw", x)
                y = _linear(w, f"{at}.ffn.fn.net.fc1", _norm(w, f"{at}.ffn.norm", x).movedim(1, -1))
                x = x + _linear(w, f"{at}.ffn.fn.net.fc2", F.gelu(y)).movedim(-1, 1)
    mean = x.mean((2, 3))
    normed = F.layer_norm(mean, mean.shape[-1:], w["image_encoder.norms.weight"], w["image_encoder.norms.bias"])
    return normed @ w["image_projection"]


def _depthwise(w: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    return x + F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1, groups=x.shape[1])


def _norm(w: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    """Over channels, ``(N, C, H, W)``."""
    return F.layer_norm(x.movedim(1, -1), x.shape[1:2], w[f"{name}.weight"], w[f"{name}.bias"]).movedim(-1, 1)


def _linear(w: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def _windows(w: dict[str, torch.Tensor], name: str, x: torch.Tensor, heads: int, size: int = 12) -> torch.Tensor:
    """Attention among the places of each window; the last windows are filled up with zeros, which attend, too."""
    _, _, height, width = x.shape
    x = F.pad(x, (0, -width % size, 0, -height % size))
    out = torch.empty_like(x)
    for top in range(0, x.shape[2], size):
        for left in range(0, x.shape[3], size):
            window = x[0, :, top : top + size, left : left + size].flatten(1).T  # places, channels
            q, k, v = _linear(w, f"{name}.qkv", window).chunk(3, -1)
            parts = []
            for a, b, c in zip(q.chunk(heads, -1), k.chunk(heads, -1), v.chunk(heads, -1), strict=True):
                parts.append((a @ b.T / a.shape[-1] ** 0.5).softmax(-1) @ c)
            done = _linear(w, f"{name}.proj", torch.cat(parts, -1))
            out[0, :, top : top + size, left : left + size] = done.T.unflatten(1, (size, size))
    return out[:, :, :height, :width]


def _channels(w: dict[str, torch.Tensor], name: str, x: torch.Tensor, groups: int) -> torch.Tensor:
    """Attention among the channels of each group, scaled by the number of places."""
    places = x[0].flatten(1).T
    q, k, v = _linear(w, f"{name}.qkv", places).chunk(3, -1)
    parts = []
    for a, b, c in zip(q.chunk(groups, -1), k.chunk(groups, -1), v.chunk(groups, -1), strict=True):
        parts.append(((a.T / len(places) ** 0.5 @ b).softmax(-1) @ c.T).T)
    return _linear(w, f"{name}.proj", torch.cat(parts, -1)).T.unflatten(1, x.shape[2:])[None]


def _text(w: dict[str, torch.Tensor], ids: torch.Tensor, heads: int = 4) -> torch.Tensor:
    """Tokens from start to end, no padding, ``(L,)`` → ``(D,)``; every token attends to every other."""
    x = w["lang_encoder.token_embedding.weight"][ids] + w["lang_encoder.positional_embedding"][: len(ids)]

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-12)

    for i in range(LAYERS):
        at = f"lang_encoder.resblocks.{i}"
        y = F.linear(norm(f"{at}.ln_1", x), w[f"{at}.attn.in_proj_weight"], w[f"{at}.attn.in_proj_bias"])
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(0, 1) for part in y.chunk(3, -1))
        y = ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(0, 1).flatten(1)
        x = x + _linear(w, f"{at}.attn.out_proj", y)
        y = _linear(w, f"{at}.mlp.c_fc", norm(f"{at}.ln_2", x))
        x = x + _linear(w, f"{at}.mlp.c_proj", y * torch.sigmoid(1.702 * y))
    return norm("lang_encoder.ln_final", x)[-1] @ w["lang_projection"]


def _shapes() -> list[Film]:
    """Films drawn by formulas alone, so that the numbers kept stay true whatever the phantoms become."""
    made = []
    for height, width, waves in ((96, 96, 3), (131, 90, 5), (70, 140, 2)):
        down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        grey = 127 + 90 * np.sin(waves * 6 * down * across) + 35 * np.cos(waves * 9 * (across - down * down))
        made.append(Film(grey.astype(np.uint8), grey.astype(np.uint8).astype(np.uint16) * 257))
    return made


def by_the_package(folder: Path) -> dict[str, list[list[float]]]:
    """What the published package makes of the tiny checkpoint."""
    sys.modules.setdefault("mpi4py", types.ModuleType("mpi4py")).MPI = types.SimpleNamespace(COMM_WORLD=None)
    from MedImageInsights.ImageDataLoader.transforms import build_transforms
    from MedImageInsights.LangEncoder import build_tokenizer
    from MedImageInsights.Models.UniCLModel import build_unicl_model

    home = folder / "2024.09.27"
    words = {**CONFIG["LANG_ENCODER"], "PRETRAINED_TOKENIZER": str(home / "language_model" / "clip_tokenizer_4.16.2")}
    config = {**CONFIG, "LANG_ENCODER": words}
    model = build_unicl_model(config).eval()
    model.load_state_dict(load_file(folder / VISION), strict=True)
    prepare, tokenizer = build_transforms(config, False), build_tokenizer(words)
    pixels = torch.stack([prepare(rgb(film)) for film in _shapes()])
    tokens = tokenizer(list(TEXTS), padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    with torch.no_grad():
        return {"images": model.encode_image(pixels).tolist(), "texts": model.encode_text(dict(tokens)).tolist()}
