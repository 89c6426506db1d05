"""Loaders: what is loaded is exactly the checkpoint, and what is computed is exactly the authors' recipe."""

import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.bundled import CHECKPOINTS, CLIP, DINO
from services.encoders.families import load
from services.encoders.families.open_clip import build_model, build_tokenizer
from services.encoders.network import Checkpoint, TorchEncoder
from services.phantom.film import display, render
from services.phantom.train.evaluate import as_film
from services.phantom.truth import Findings, PhantomFilm

WEIGHTS = {CLIP: "open_clip_model.safetensors", DINO: "model.safetensors"}
FAMILY = {CLIP: "open-clip", DINO: "dinov2"}
BOTH = pytest.mark.parametrize("name", [CLIP, DINO])


@pytest.fixture
def copy(tmp_path: Path, name: str) -> Path:
    return shutil.copytree(CHECKPOINTS / name, tmp_path / "checkpoint")


@pytest.fixture(scope="module")
def wide() -> Film:
    """A film whose sides differ, so that resizing and cropping have something to get wrong."""
    square = display(render(PhantomFilm(findings=Findings(effusion_left=0.5)), 256))
    return as_film(np.ascontiguousarray(square[:201, :]))


def opened(name: str, folder: Path, **options: str) -> TorchEncoder:
    encoder = load(FAMILY[name], Checkpoint(folder, name, "test", options))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def pixels_of(encoder: TorchEncoder, film: Film) -> torch.Tensor:
    """``(1, 3, S, S) float32``: what the network takes."""
    return torch.from_numpy(encoder.network.recipe.normalised(encoder.preprocess(film)))[None]


def refusal(name: str, folder: Path) -> str:
    with pytest.raises(HilumError) as caught:
        opened(name, folder)
    assert caught.value.code is ErrorCode.FAILED_PRECONDITION
    assert str(folder) not in caught.value.client_message
    return caught.value.client_message


@BOTH
def test_a_missing_tensor_is_an_error(name: str, copy: Path) -> None:
    tensors = load_file(copy / WEIGHTS[name])
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, copy / WEIGHTS[name], metadata={"format": "pt"})
    assert "missing" in refusal(name, copy)


@BOTH
def test_an_unexpected_tensor_is_an_error(name: str, copy: Path) -> None:
    tensors = load_file(copy / WEIGHTS[name]) | {"stray.weight": torch.zeros(2)}
    save_file(tensors, copy / WEIGHTS[name], metadata={"format": "pt"})
    assert "unexpected" in refusal(name, copy)


@BOTH
def test_a_tensor_of_another_shape_is_an_error(name: str, copy: Path) -> None:
    tensors = load_file(copy / WEIGHTS[name])
    key = next(k for k in sorted(tensors) if tensors[k].ndim == 2)
    tensors[key] = tensors[key][:-1].contiguous()
    save_file(tensors, copy / WEIGHTS[name], metadata={"format": "pt"})
    refusal(name, copy)


@BOTH
def test_pickled_and_damaged_weights_are_not_read(name: str, copy: Path) -> None:
    weights = copy / WEIGHTS[name]
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refusal(name, copy)
    weights.write_bytes(pickle.dumps({"harm": Path("/")}))
    refusal(name, copy)
    weights.unlink()
    assert "no " in refusal(name, copy)


@pytest.mark.parametrize(("name", "config"), [
    (CLIP, "open_clip_config.json"), (CLIP, "bert/config.json"), (DINO, "config.json"),
    (DINO, "preprocessor_config.json"),
])  # fmt: skip
def test_a_missing_configuration_is_an_error(name: str, config: str, copy: Path) -> None:
    (copy / config).unlink()
    assert Path(config).name in refusal(name, copy)


@BOTH
def test_the_fingerprint_covers_weights_preprocessing_and_pooling(name: str, copy: Path) -> None:
    spec = opened(name, copy).spec
    assert spec.fingerprint == opened(name, CHECKPOINTS / name).spec.fingerprint
    assert replace(spec, pooling="mean").fingerprint != spec.fingerprint
    tensors = load_file(copy / WEIGHTS[name])
    key = next(k for k in sorted(tensors) if tensors[k].ndim > 1)
    tensors[key] = tensors[key] * 1.01
    save_file(tensors, copy / WEIGHTS[name], metadata={"format": "pt"})
    reweighed = opened(name, copy).spec
    assert reweighed.weights_sha256 != spec.weights_sha256 and reweighed.collection != spec.collection
    path = copy / ("open_clip_config.json" if name == CLIP else "preprocessor_config.json")
    config = json.loads(path.read_text())
    holder = config["preprocess_cfg"] if name == CLIP else config
    holder["mean" if name == CLIP else "image_mean"] = [0.4, 0.4, 0.4]
    path.write_text(json.dumps(config))
    assert opened(name, copy).spec.preprocessing != reweighed.preprocessing


def test_another_size_is_another_model(tmp_path: Path) -> None:
    folder = shutil.copytree(CHECKPOINTS / CLIP, tmp_path / "checkpoint")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["image_size"] = 128
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    small, usual = (opened(CLIP, f).spec for f in (folder, CHECKPOINTS / CLIP))
    assert small.fingerprint != usual.fingerprint and "128" in small.preprocessing


def test_clip_preprocessing_is_open_clips_own(wide: Film) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    model = build_model(CHECKPOINTS / CLIP)
    theirs = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    encoder = opened(CLIP, CHECKPOINTS / CLIP)
    for film in (wide, as_film(np.ascontiguousarray(wide.display.T))):
        wanted = theirs(Image.fromarray(film.display)).numpy()
        np.testing.assert_allclose(pixels_of(encoder, film)[0].numpy(), wanted, atol=1e-5)


def test_dino_preprocessing_is_the_pillow_backends(wide: Film) -> None:
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(CHECKPOINTS / DINO, backend="pil", local_files_only=True)
    encoder = opened(DINO, CHECKPOINTS / DINO)
    for film in (wide, as_film(np.ascontiguousarray(wide.display.T))):
        wanted = processor(Image.fromarray(film.display).convert("RGB"), return_tensors="np")["pixel_values"][0]
        np.testing.assert_allclose(pixels_of(encoder, film)[0].numpy(), wanted, atol=1e-5)


def test_dino_vector_is_the_plain_cls_token(wide: Film) -> None:
    """Against a forward pass written out by hand from the tensors of the file."""
    encoder = opened(DINO, CHECKPOINTS / DINO)
    pixels = encoder.preprocess(wide)[None]
    wanted = plain_dinov2(pixels_of(encoder, wide))
    found = encoder.encode_images(pixels)[0]
    assert float(found @ wanted) >= 0.99999


def plain_dinov2(x: torch.Tensor) -> np.ndarray:
    """DINOv2's forward pass in plain tensor operations: ``(1, 3, S, S)`` to a unit vector ``(D,)``."""
    config = json.loads((CHECKPOINTS / DINO / "config.json").read_text())
    w = {k: v.float() for k, v in load_file(CHECKPOINTS / DINO / WEIGHTS[DINO]).items()}
    heads, eps = config["num_attention_heads"], config["layer_norm_eps"]

    def linear(t: torch.Tensor, name: str) -> torch.Tensor:
        return t @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(t: torch.Tensor, name: str) -> torch.Tensor:
        centred = t - t.mean(-1, keepdim=True)
        return centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt() * w[f"{name}.weight"] + w[f"{name}.bias"]

    kernel = w["embeddings.patch_embeddings.projection.weight"]
    side, size = kernel.shape[-1], x.shape[-1]
    n = size // side
    patches = x.reshape(3, n, side, n, side).permute(1, 3, 0, 2, 4).reshape(n * n, -1)
    tokens = patches @ kernel.flatten(1).T + w["embeddings.patch_embeddings.projection.bias"]
    t = torch.cat([w["embeddings.cls_token"][0], tokens]) + w["embeddings.position_embeddings"][0]
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        h = norm(t, f"{layer}.norm1")
        q, k, v = (
            linear(h, f"{layer}.attention.attention.{p}").reshape(len(t), heads, -1).transpose(0, 1)
            for p in ("query", "key", "value")
        )
        mixed = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1) @ v
        h = linear(mixed.transpose(0, 1).reshape(len(t), -1), f"{layer}.attention.output.dense")
        t = t + h * w[f"{layer}.layer_scale1.lambda1"]
        h = linear(torch.nn.functional.gelu(linear(norm(t, f"{layer}.norm2"), f"{layer}.mlp.fc1")), f"{layer}.mlp.fc2")
        t = t + h * w[f"{layer}.layer_scale2.lambda1"]
    cls = norm(t, "layernorm")[0].numpy()
    return cls / np.linalg.norm(cls)


def test_clip_vectors_are_open_clips_own(wide: Film) -> None:
    """Against open_clip's towers filled directly, and tokens without the padding being cut or batched away."""
    model = build_model(CHECKPOINTS / CLIP)
    model.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in load_file(CHECKPOINTS / CLIP / WEIGHTS[CLIP]).items()}
    )
    model.eval()
    encoder = opened(CLIP, CHECKPOINTS / CLIP)
    with torch.no_grad():
        image = model.encode_image(pixels_of(encoder, wide), normalize=True)[0].numpy()
        text = model.encode_text(build_tokenizer(CHECKPOINTS / CLIP)(["small left effusion"]), normalize=True)[
            0
        ].numpy()
    assert float(encoder.encode_images(encoder.preprocess(wide)[None])[0] @ image) >= 0.99999
    assert float(encoder.encode_texts(["a", "small left effusion"])[1] @ text) >= 0.99999


def test_an_image_only_encoder_refuses_words() -> None:
    encoder = opened(DINO, CHECKPOINTS / DINO)
    assert encoder.spec.text_space is None
    with pytest.raises(HilumError) as caught:
        encoder.encode_texts(["effusion"])
    assert caught.value.code is ErrorCode.FAILED_PRECONDITION


def test_full_range_source_ignores_the_window() -> None:
    rng = np.random.default_rng(0)
    full = rng.integers(0, 65536, (200, 200)).astype(np.uint16)
    film = Film(np.zeros((200, 200), np.uint8), full)
    windowed, whole = (opened(DINO, CHECKPOINTS / DINO, levels=s) for s in ("display", "full"))
    assert np.ptp(windowed.preprocess(film)) == 0 and np.ptp(whole.preprocess(film)) > 1
    assert windowed.spec.fingerprint != whole.spec.fingerprint


def test_loading_and_encoding_touch_no_network_and_need_no_order_of_imports() -> None:
    """In a fresh interpreter whose sockets are shut."""
    program = (
        "import socket\n"
        "def shut(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = socket.create_connection = shut\n"
        "from services.encoders.registry import Registry\n"
        "r = Registry.bundled()\n"
        "print({n: s.dim for n, s in r.specs().items()}, r.get('hilum-cxr-clip').encode_texts(['edema']).shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "hilum-cxr-dino" in done.stdout and "(1, 256)" in done.stdout
