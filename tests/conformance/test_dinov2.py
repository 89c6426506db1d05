"""RAD-DINO's layout and recipe, on a tiny network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, BitImageProcessor, Dinov2Config, Dinov2Model

from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint
from tests.kit.conformance import agree_on_films


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hub serves for microsoft/rad-dino, in small."""
    at = tmp_path_factory.mktemp("rad-dino")
    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=56, patch_size=14,
        initializer_range=0.2,
    )).save_pretrained(at)  # fmt: skip
    BitImageProcessor(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_mean=[0.5307] * 3,
        image_std=[0.2583] * 3, resample=3,
    ).save_pretrained(at)  # fmt: skip
    return at


@pytest.mark.parametrize("levels", ["full", "display"])
def test_vectors_are_those_of_the_authors_recipe(folder: Path, levels: str) -> None:
    """Their package: BitImageProcessor on Pillow, AutoModel, the CLS token of the last hidden state."""
    model = AutoModel.from_pretrained(folder).eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")

    def reference(film: Film) -> np.ndarray:
        grey = film.display if levels == "display" else np.round(film.full / 257).astype(np.uint8)
        inputs = processor(Image.fromarray(grey).convert("RGB"), return_tensors="pt")
        with torch.no_grad():
            return model(**inputs).last_hidden_state[0, 0].numpy()

    agree_on_films(load("dinov2", Checkpoint(folder, "rad-dino", "test", {"levels": levels})), reference)
