"""MedGemma's image tower out of its sharded checkpoint, on a tiny network."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, Gemma3Config, Gemma3ForConditionalGeneration

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import agree_on_films, films, rgb

LAYOUTS = ("vision_tower.vision_model.", "model.vision_tower.vision_model.", "model.vision_tower.", "vision_tower.")


@pytest.fixture(scope="module")
def model() -> Gemma3ForConditionalGeneration:
    torch.manual_seed(0)
    return Gemma3ForConditionalGeneration(Gemma3Config(
        text_config={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
                     "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 256},
        vision_config={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
                       "image_size": 56, "patch_size": 14, "vision_use_head": False, "initializer_range": 0.3},
        mm_tokens_per_image=4, initializer_range=0.3,
    )).eval()  # fmt: skip


@pytest.fixture(scope="module")
def publish(model: Gemma3ForConditionalGeneration) -> Callable[[Path, str], Path]:
    """What the hub serves for google/medgemma-4b-it, in small: two shards, the tower's names under any prefix."""

    def publish(at: Path, prefix: str = LAYOUTS[0]) -> Path:
        at.mkdir(parents=True, exist_ok=True)
        model.config.save_pretrained(at)
        tower = {prefix + n: t.bfloat16().contiguous() for n, t in model.model.vision_tower.state_dict().items()}
        words = {"language_model." + n: t.clone() for n, t in model.model.language_model.state_dict().items()}
        projector = {f"multi_modal_projector.{n}": t.clone()
                     for n, t in model.model.multi_modal_projector.state_dict().items()}  # fmt: skip
        save_file(tower | projector, at / "model-00001-of-00002.safetensors")
        save_file(words, at / "model-00002-of-00002.safetensors")
        (at / "preprocessor_config.json").write_text(json.dumps({
            "do_convert_rgb": None, "do_normalize": True, "do_pan_and_scan": None, "do_rescale": True,
            "do_resize": True, "image_mean": [0.5] * 3, "image_processor_type": "Gemma3ImageProcessor",
            "image_seq_length": 256, "image_std": [0.5] * 3, "processor_class": "Gemma3Processor", "resample": 2,
            "rescale_factor": 1 / 255, "size": {"height": 56, "width": 56},
        }))  # fmt: skip
        return at

    return publish


def opened(at: Path) -> TorchEncoder:
    encoder = load("medgemma", Checkpoint(at, "medgemma", "test"))
    assert isinstance(encoder, TorchEncoder)
    return encoder


@pytest.mark.parametrize("prefix", LAYOUTS)
def test_vectors_are_the_mean_of_the_whole_models_patches(
    model: Gemma3ForConditionalGeneration, publish: Callable[..., Path], tmp_path: Path, prefix: str
) -> None:
    """transformers' own whole model and image processor on Pillow; the published tensors are bfloat16."""
    at = publish(tmp_path, prefix)
    processor = AutoImageProcessor.from_pretrained(at, backend="pil")
    tower = model.model.vision_tower
    exact = {name: tensor.clone() for name, tensor in tower.state_dict().items()}
    tower.load_state_dict({name: tensor.bfloat16().float() for name, tensor in exact.items()})

    def reference(film: Film) -> np.ndarray:
        pixels = processor(rgb(film), return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            return tower(pixel_values=pixels.reshape(-1, 3, 56, 56)).last_hidden_state[0].mean(0).numpy()

    try:
        agree_on_films(opened(at), reference)
    finally:
        tower.load_state_dict(exact)


def test_the_language_model_is_not_needed(publish: Callable[..., Path], tmp_path: Path) -> None:
    whole, alone = publish(tmp_path / "whole"), publish(tmp_path / "alone")
    (alone / "model-00002-of-00002.safetensors").unlink()
    batch = [opened(whole).preprocess(film) for film in films()]
    np.testing.assert_array_equal(opened(whole).encode_images(batch), opened(alone).encode_images(batch))
    assert opened(whole).spec == opened(alone).spec
    assert opened(whole).spec.text_space is None


def test_a_changed_tensor_of_the_tower_is_another_encoder(publish: Callable[..., Path], tmp_path: Path) -> None:
    before = opened(publish(tmp_path)).spec.weights_sha256
    shard = tmp_path / "model-00001-of-00002.safetensors"
    tensors = load_file(shard)
    tensors["vision_tower.vision_model.post_layernorm.bias"] += 0.25
    save_file(tensors, shard)
    assert opened(tmp_path).spec.weights_sha256 != before


@pytest.mark.parametrize("change", ["missing", "unexpected", "misshapen", "no tower", "no weights"])
def test_a_tower_that_does_not_fit_is_refused(publish: Callable[..., Path], tmp_path: Path, change: str) -> None:
    shard = publish(tmp_path) / "model-00001-of-00002.safetensors"
    tensors = load_file(shard)
    name = "vision_tower.vision_model.encoder.layers.1.mlp.fc2.bias"
    if change == "missing":
        del tensors[name]
    elif change == "unexpected":
        tensors["vision_tower.vision_model.head.probe"] = torch.zeros(1)
    elif change == "misshapen":
        tensors[name] = torch.zeros(31)
    elif change == "no tower":
        tensors = {n: t for n, t in tensors.items() if not n.startswith("vision_tower.")}
    save_file(tensors, shard)
    if change == "no weights":
        for path in tmp_path.glob("*.safetensors"):
            path.unlink()
    with pytest.raises(HilumError) as refused:
        opened(tmp_path)
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION
    assert str(tmp_path) not in str(refused.value)


def test_patches_are_the_towers_own_in_rows_from_the_top(publish: Callable[..., Path], tmp_path: Path) -> None:
    encoder = opened(publish(tmp_path))
    found = encoder.encode_patches([encoder.preprocess(film) for film in films()[:2]])
    assert found.grid.shape == (2, 4, 4, 32) and not found.reads_text
    pixels = encoder.network.recipe.normalised(np.stack([encoder.preprocess(film) for film in films()[:2]]))
    with torch.no_grad():
        states = encoder.network.module(pixel_values=torch.from_numpy(pixels)).last_hidden_state
    wanted = torch.nn.functional.normalize(states, dim=-1).numpy()
    np.testing.assert_allclose(found.grid[1, 2, 3], wanted[1, 2 * 4 + 3], atol=1e-5)
    np.testing.assert_allclose(found.grid.reshape(2, 16, 32), wanted, atol=1e-5)
