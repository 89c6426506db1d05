"""DINOv3's layout and recipe, and DINOv2's with registers, on tiny networks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    BitImageProcessor,
    BitImageProcessorPil,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTImageProcessor,
    DINOv3ViTModel,
)

from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import agree_on_films, cosine, films, rgb
from tests.kit.tiny import TOWER, enliven


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hub serves for facebook/dinov3-vitb16-pretrain-lvd1689m, in small."""
    at = tmp_path_factory.mktemp("dinov3")
    model = DINOv3ViTModel(DINOv3ViTConfig(**TOWER, image_size=64, patch_size=16, num_register_tokens=4))
    enliven(model)
    model.save_pretrained(at)
    DINOv3ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(at)
    return at


@pytest.fixture(scope="module")
def registers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("registers")
    model = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=56, patch_size=14,
        num_register_tokens=4,
    ))  # fmt: skip
    enliven(model)
    model.save_pretrained(at)
    BitImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56}).save_pretrained(at)
    return at


def scaled(film: Film) -> torch.Tensor:
    """DINOv3's processor, which exists for torchvision alone: it scales to 0–1, then resizes, rounding nothing."""
    return DINOv3ViTImageProcessor(size={"height": 64, "width": 64})(rgb(film), return_tensors="pt")["pixel_values"]


def cropped(film: Film) -> torch.Tensor:
    processor = BitImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56})
    return torch.from_numpy(processor(rgb(film), return_tensors="np")["pixel_values"])


CASES = pytest.mark.parametrize(("family", "at", "pixels"), [
    ("dinov3", "folder", scaled), ("dinov2", "registers", cropped),
])  # fmt: skip


@CASES
def test_the_vector_is_the_cls_token(family: str, at: str, pixels, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(at)
    model = AutoModel.from_pretrained(folder).eval()

    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            return model(pixel_values=pixels(film)).pooler_output[0].numpy()

    agree_on_films(load(family, Checkpoint(folder, family, "test")), reference)


@CASES
def test_patches_come_after_the_registers(family: str, at: str, pixels, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(at)
    encoder = load(family, Checkpoint(folder, family, "test"))
    assert isinstance(encoder, TorchEncoder)
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder).eval()(pixel_values=pixels(films()[1])).last_hidden_state[0]
    assert hidden.shape == (1 + 4 + 16, 32)
    found = encoder.encode_patches([encoder.preprocess(films()[1])])
    assert not found.reads_text and cosine(found.grid[0], hidden[5:].reshape(4, 4, 32).numpy()).min() > 0.99999


def test_pixels_are_not_rounded_between_scaling_and_normalising(folder: Path) -> None:
    encoder = load("dinov3", Checkpoint(folder, "dinov3", "test"))
    assert isinstance(encoder, TorchEncoder)
    for film in films():
        prepared = encoder.preprocess(film)
        assert prepared.dtype == np.float32 and "float" in encoder.spec.preprocessing
        found = encoder.network.recipe.normalised(prepared)
        np.testing.assert_allclose(found, scaled(film)[0].numpy(), atol=1e-4)
