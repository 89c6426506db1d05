"""The image towers of CheXagent-2-3b and CheXagent-8b out of their checkpoints, on tiny networks."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision import transforms
from transformers import (
    AutoImageProcessor,
    Blip2VisionConfig,
    Blip2VisionModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import agree_on_films, films, rgb

SIZE, PATCH = 64, 16
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def opened(at: Path, **options: str) -> TorchEncoder:
    encoder = load("chexagent", Checkpoint(at, "chexagent", "test", options))
    assert isinstance(encoder, TorchEncoder)
    return encoder


@pytest.fixture(scope="module")
def siglip() -> SiglipVisionModel:
    """The tower of CheXagent-2-3b has an attention-pooling head, computed and then unused."""
    torch.manual_seed(0)
    model = SiglipVisionModel(SiglipVisionConfig(
        hidden_size=128, intermediate_size=96, num_hidden_layers=3, num_attention_heads=2, image_size=SIZE,
        patch_size=PATCH, initializer_range=0.2,
    )).eval()  # fmt: skip
    model.post_layernorm.weight.data.normal_()  # so that it matters whether the norm is taken
    return model


@pytest.fixture
def two(siglip: SiglipVisionModel, tmp_path: Path) -> Path:
    """What the hub serves for StanfordAIMI/CheXagent-2-3b, in small: the tower in the last two of three shards."""
    tower = {f"model.visual.model.{n}": t.clone() for n, t in siglip.state_dict().items()}
    half = len(tower) // 2
    shards = [
        {"model.embed_tokens.weight": torch.randn(9, 4)},
        {"model.layers.0.mlp.fc1.weight": torch.randn(4, 4), **dict(list(tower.items())[:half])},
        {**dict(list(tower.items())[half:]), "model.visual.proj": torch.randn(128, 4),
         "model.visual.pos_embed": torch.randn(16, 128), "lm_head.weight": torch.randn(9, 4)},
    ]  # fmt: skip
    for index, shard in enumerate(shards, 1):
        save_file(shard, tmp_path / f"model-0000{index}-of-00003.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({
        "architectures": ["CheXagentForCausalLM"], "model_type": "phi", "hidden_size": 4,
        "visual": {"image_size": SIZE, "output_dim": 4, "vision_model_name_or_path": "XraySigLIP"},
    }))  # fmt: skip
    return tmp_path


def test_two_3b_takes_the_patches_before_the_final_norm(siglip: SiglipVisionModel, two: Path) -> None:
    """hidden_states[-1] of transformers 4.40 is the last block's output; bicubic squash, 0.5/0.5: its remote code."""
    prepare = transforms.Compose([
        transforms.Resize((SIZE, SIZE), transforms.InterpolationMode.BICUBIC), transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.5] * 3),
    ])  # fmt: skip

    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            states = siglip.embeddings(prepare(rgb(film))[None])
            for block in siglip.encoder.layers:
                states = block(states, attention_mask=None)
                states = states[0] if isinstance(states, tuple) else states
            return states[0].mean(0).numpy()

    agree_on_films(opened(two), reference)


def test_the_final_norm_would_make_another_vector(siglip: SiglipVisionModel, two: Path) -> None:
    encoder = opened(two)
    batch = [encoder.preprocess(film) for film in films()[:3]]
    pixels = torch.from_numpy(encoder.network.recipe.normalised(np.stack(batch)))
    with torch.no_grad():
        normed = torch.nn.functional.normalize(siglip(pixel_values=pixels).last_hidden_state.mean(1), dim=-1).numpy()
    assert (encoder.encode_images(batch) * normed).sum(-1).max() < 0.9
    assert encoder.spec.pooling == "mean-of-patches-before-norm" and encoder.spec.dim == 128


def test_two_3b_needs_only_the_shards_with_the_tower(two: Path) -> None:
    before = opened(two).spec
    (two / "model-00001-of-00003.safetensors").unlink()
    assert opened(two).spec == before
    (two / "model-00003-of-00003.safetensors").unlink()
    with pytest.raises(HilumError, match="missing"):
        opened(two)


def test_a_size_that_config_and_tensors_tell_apart_is_refused(two: Path) -> None:
    config = json.loads((two / "config.json").read_text())
    config["visual"]["image_size"] = 384
    (two / "config.json").write_text(json.dumps(config))
    with pytest.raises(HilumError, match="size of a picture"):
        opened(two)


@pytest.fixture(scope="module")
def eva() -> Blip2VisionModel:
    torch.manual_seed(1)
    model = Blip2VisionModel(Blip2VisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=SIZE,
        patch_size=PATCH, initializer_range=0.2,
    )).eval()  # fmt: skip
    for tensor in model.state_dict().values():
        tensor.normal_(std=0.2)  # class token and places are zero at the start
    return model


@pytest.fixture
def eight(eva: Blip2VisionModel, tmp_path: Path) -> Path:
    """What the hub serves for StanfordAIMI/CheXagent-8b, in small; its names of tensors were never seen here."""
    tower = {f"vision_model.{n}": t.clone() for n, t in eva.state_dict().items()}
    save_file(tower | {"query_tokens": torch.zeros(1, 128, 8)}, tmp_path / "model-00001-of-00002.safetensors")
    save_file({"language_model.lm_head.weight": torch.zeros(4, 4)}, tmp_path / "model-00002-of-00002.safetensors")
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
              "image_size": SIZE, "patch_size": PATCH, "model_type": "chexagent_vision_model"}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "chexagent", "vision_config": vision}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN,
        "image_processor_type": "BlipImageProcessor", "image_std": CLIP_STD, "processor_class": "CheXagentProcessor",
        "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": SIZE, "width": SIZE},
        "auto_map": {"AutoProcessor": "processing_chexagent.CheXagentProcessor"},
    }))  # fmt: skip
    return tmp_path


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_eight_b_reads_blip_2s_tower(eva: Blip2VisionModel, eight: Path, pooling: str) -> None:
    processor = AutoImageProcessor.from_pretrained(eight, backend="pil")

    def reference(film: Film) -> np.ndarray:
        pixels = processor(Image.fromarray(film.display).convert("RGB"), return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            states = eva(pixel_values=pixels).last_hidden_state[0]
        return (states[0] if pooling == "cls" else states[1:].mean(0)).numpy()

    agree_on_films(opened(eight, pooling=pooling), reference)


def test_eight_b_says_which_tensors_differ(eight: Path) -> None:
    shard = eight / "model-00001-of-00002.safetensors"
    tensors = load_file(shard)
    renamed = {n.replace("self_attn.projection", "attn.proj"): t for n, t in tensors.items()}
    save_file(renamed, shard)
    with pytest.raises(HilumError, match=r"4 missing .*4 unexpected .*attn\.proj") as refused:
        opened(eight)
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION


def test_options_and_folders_it_does_not_know_are_refused(eight: Path) -> None:
    with pytest.raises(HilumError, match="mean, cls"):
        opened(eight, pooling="max")
    (eight / "config.json").write_text(json.dumps({"model_type": "phi"}))
    with pytest.raises(HilumError, match="another model"):
        opened(eight)
