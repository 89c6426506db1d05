"""Fine-tuned ViT classifiers, on a tiny network."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    ViTImageProcessorPil,
    ViTModel,
)

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import agree_on_films, cosine, films, rgb
from tests.kit.tiny import TOWER, enliven


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT-B/32 at 256 pixels with five classes, in small."""
    at = tmp_path_factory.mktemp("vit")
    model = ViTForImageClassification(ViTConfig(**TOWER, image_size=64, patch_size=16, num_labels=5))
    enliven(model)
    model.save_pretrained(at)
    ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(at)
    return at


def opened(folder: Path) -> TorchEncoder:
    encoder = load("vit", Checkpoint(folder, "vit", "test"))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def pixels(film: Film) -> torch.Tensor:
    processor = ViTImageProcessorPil(size={"height": 64, "width": 64})
    return torch.from_numpy(processor(rgb(film), return_tensors="np")["pixel_values"])


def test_the_vector_is_what_the_classifier_reads(folder: Path) -> None:
    model = ViTForImageClassification.from_pretrained(folder).eval()
    read: list[torch.Tensor] = []
    model.classifier.register_forward_pre_hook(lambda _, given: read.append(given[0]))

    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            model(pixel_values=pixels(film))
        return read[-1][0].numpy()

    agree_on_films(opened(folder), reference)


def test_two_loads_give_one_vector_where_the_librarys_pooler_gives_two(folder: Path) -> None:
    poolers = []
    for _ in range(2):
        with torch.no_grad():
            poolers.append(AutoModel.from_pretrained(folder).eval()(pixel_values=pixels(films()[0])).pooler_output[0])
    assert cosine(poolers[0].numpy(), poolers[1].numpy()) < 0.9, "the trap is still there"
    first, second = (opened(folder).encode_images([opened(folder).preprocess(films()[0])]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_pooler_in_the_file_changes_nothing(folder: Path, tmp_path: Path) -> None:
    """Pretrained backbones have one; the CLS token is read before it."""
    model = ViTModel(ViTConfig(**TOWER, image_size=64, patch_size=16))
    enliven(model)
    model.save_pretrained(tmp_path)
    shutil.copy(folder / "preprocessor_config.json", tmp_path)

    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            return model.eval()(pixel_values=pixels(film)).last_hidden_state[0, 0].numpy()

    agree_on_films(opened(tmp_path), reference)


def test_patches_are_the_tokens_after_the_first(folder: Path) -> None:
    encoder, model = opened(folder), ViTForImageClassification.from_pretrained(folder).eval()
    found = encoder.encode_patches([encoder.preprocess(films()[1])])
    with torch.no_grad():
        wanted = model.vit(pixel_values=pixels(films()[1])).last_hidden_state[0, 1:].reshape(4, 4, 32)
    assert not found.reads_text and cosine(found.grid[0], wanted.numpy()).min() > 0.99999


def test_a_folder_that_lacks_a_layer_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(HilumError) as caught:
        opened(copy)
    assert caught.value.code is ErrorCode.FAILED_PRECONDITION and "missing" in caught.value.client_message
