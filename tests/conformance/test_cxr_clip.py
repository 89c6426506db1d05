"""CXR-CLIP's published files and recipes, on tiny text and Swin towers and a ResNet-50 with random weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import linear
from torchvision import transforms
from torchvision.models import ResNet, resnet50
from transformers import AutoTokenizer, BertConfig, BertModel, SwinConfig, SwinModel

from services.core.errors import HilumError
from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import agree_on_films, agree_on_texts, films, rgb

SIZE, LENGTH, DIM, WIDTH = 64, 24, 16, 32
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
CAPITALS = [letter.upper() for letter in LETTERS]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ".", *LETTERS, *CAPITALS, *("##" + c for c in LETTERS),
              "pleural", "effusion", "Effusion", "no"]  # fmt: skip


def opened(at: Path) -> TorchEncoder:
    encoder = load("cxr-clip", Checkpoint(at, "cxr-clip", "test"))
    assert isinstance(encoder, TorchEncoder)
    return encoder


@pytest.fixture(scope="module")
def bert() -> BertModel:
    torch.manual_seed(0)
    return BertModel(BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.3,
    )).eval()  # fmt: skip


@pytest.fixture(scope="module")
def resnet() -> ResNet:
    torch.manual_seed(1)
    network = resnet50()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(std=0.05)
            part.bias.data.normal_(std=0.1)
    network.fc = torch.nn.Identity()
    return network.eval()


@pytest.fixture(scope="module")
def swin() -> SwinModel:
    torch.manual_seed(2)
    return SwinModel(SwinConfig(
        image_size=SIZE, embed_dim=16, depths=[1, 2], num_heads=[2, 4], window_size=4, initializer_range=0.3,
    )).eval()  # fmt: skip


def write(
    at: Path, bert: BertModel, image: dict[str, torch.Tensor], width: int, **model: Any
) -> dict[str, torch.Tensor]:
    """What the authors' trainer saves, and beside it what the hub serves for emilyalsentzer/Bio_ClinicalBERT."""
    text = {f"text_encoder.text_encoder.{n}": t for n, t in bert.state_dict().items()}
    text["text_encoder.text_encoder.embeddings.position_ids"] = torch.arange(64)[None]
    heads = {f"{tower}_projection.projection.{part}": torch.randn(DIM, size) if part == "weight" else torch.randn(DIM)
             for tower, size in (("image", width), ("text", WIDTH)) for part in ("weight", "bias")}  # fmt: skip
    tensors = {"logit_scale": torch.tensor(float(np.log(1 / 0.07))), **image, **text, **heads}
    config = {"base": {"image_size": SIZE, "text_max_length": LENGTH, "amp": True},
              "model": {"name": "clip_custom", "temperature": 0.07,
                        "text_encoder": {"source": "huggingface", "pooling": "eos"},
                        "projection_head": {"name": "linear", "dropout": 0.1, "proj_dim": DIM}, **model}}  # fmt: skip
    torch.save({
        "model": tensors, "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": []},
        "scheduler": {"last_epoch": 1}, "config": config, "epoch": 15, "train_loss": 0.1,
    }, at / "model.tar")  # fmt: skip
    (at / "clinicalbert").mkdir(exist_ok=True)
    bert.config.save_pretrained(at / "clinicalbert")
    (at / "clinicalbert" / "vocab.txt").write_text("\n".join(VOCABULARY))
    return tensors


@pytest.fixture
def r50(bert: BertModel, resnet: ResNet, tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    image = {f"image_encoder.resnet.{n}": t for n, t in resnet.state_dict().items()}
    return tmp_path, write(tmp_path, bert, image, 2048, image_encoder={"source": "torchvision", "name": "resnet"})


@pytest.fixture
def swint(bert: BertModel, swin: SwinModel, tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """transformers writes Swin by the names that files have had since 4.20; those of the authors add an index."""
    swin.save_pretrained(tmp_path / "swin")
    old = load_file(tmp_path / "swin" / "model.safetensors")
    (tmp_path / "swin" / "model.safetensors").unlink()
    assert any(".attention.self.query." in name for name in old)
    image = {f"image_encoder.image_encoder.{n}": t for n, t in old.items()}
    image["image_encoder.image_encoder.encoder.layers.0.blocks.0.attention.self.relative_position_index"] = torch.zeros(
        1
    )
    return tmp_path, write(tmp_path, bert, image, 32, image_encoder={"source": "huggingface", "model_type": "swin"})


def pixels_of(film: Film, mean: list[float], std: list[float]) -> torch.Tensor:
    return transforms.Compose([
        transforms.Resize(SIZE), transforms.CenterCrop(SIZE), transforms.ToTensor(), transforms.Normalize(mean, std),
    ])(rgb(film))[None]  # fmt: skip


def projected(of: dict[str, torch.Tensor], tower: str, features: torch.Tensor) -> np.ndarray:
    return linear(
        features, of[f"{tower}_projection.projection.weight"], of[f"{tower}_projection.projection.bias"]
    ).numpy()


def test_resnet_takes_imagenets_colours(r50: tuple[Path, dict[str, torch.Tensor]], resnet: ResNet) -> None:
    """Their evaluator sets ``normalize: imagenet`` for the ResNet; 0.5/0.5 is Swin's alone."""
    at, tensors = r50

    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            features = resnet(pixels_of(film, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
            return projected(tensors, "image", features[0])

    agree_on_films(opened(at), reference)


def test_swin_takes_its_first_place(swint: tuple[Path, dict[str, torch.Tensor]], swin: SwinModel) -> None:
    """Their ``encode_image`` reads ``[:, 0]`` for every transformer, though a Swin has no class token."""
    at, tensors = swint

    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            states = swin(pixel_values=pixels_of(film, [0.5] * 3, [0.5] * 3)).last_hidden_state
            return projected(tensors, "image", states[0, 0])

    encoder = opened(at)
    agree_on_films(encoder, reference)
    assert encoder.spec.pooling == "first-place-projected"


def test_text_vectors_are_the_end_token_projected(r50: tuple[Path, dict[str, torch.Tensor]], bert: BertModel) -> None:
    at, tensors = r50
    tokenizer = AutoTokenizer.from_pretrained(at / "clinicalbert")

    def reference(text: str) -> np.ndarray:
        tokens = tokenizer(text, padding="longest", truncation=True, return_tensors="pt", max_length=LENGTH)
        with torch.no_grad():
            states = bert(**tokens).last_hidden_state
        return projected(tensors, "text", states[0, int(tokens["attention_mask"].sum()) - 1])

    agree_on_texts(opened(at), reference)


def test_words_are_lowered_though_the_vocabulary_has_capitals(r50: tuple[Path, dict[str, torch.Tensor]]) -> None:
    """Bio_ClinicalBERT has no tokenizer_config.json, and so every AutoTokenizer lowers its words."""
    found = opened(r50[0]).encode_texts(["No Pleural Effusion", "no pleural effusion"])
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_local_vectors(r50: tuple[Path, dict[str, torch.Tensor]]) -> None:
    encoder = opened(r50[0])
    batch = [encoder.preprocess(film) for film in films()[:2]]
    found = encoder.encode_patches(batch)
    assert found.grid.shape == (2, 2, 2, DIM) and found.reads_text
    assert encoder.network.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)


def test_swins_local_vectors_read_no_words(swint: tuple[Path, dict[str, torch.Tensor]]) -> None:
    encoder = opened(swint[0])
    found = encoder.encode_patches([encoder.preprocess(films()[0])])
    assert found.grid.shape == (1, 8, 8, 32) and not found.reads_text


def no_projection(content: dict[str, Any], at: Path) -> None:
    del content["model"]["image_projection.projection.weight"]


def other_pooling(content: dict[str, Any], at: Path) -> None:
    content["config"]["model"]["text_encoder"]["pooling"] = "mean"


def other_head(content: dict[str, Any], at: Path) -> None:
    content["config"]["model"]["projection_head"]["name"] = "mlp"


def missing(content: dict[str, Any], at: Path) -> None:
    del content["model"]["image_encoder.resnet.layer1.0.conv1.weight"]


def no_words(content: dict[str, Any], at: Path) -> None:
    (at / "clinicalbert" / "vocab.txt").unlink()


def no_bert(content: dict[str, Any], at: Path) -> None:
    (at / "clinicalbert" / "config.json").unlink()


@pytest.mark.parametrize(("change", "says"), [
    (no_projection, "no projections"), (other_pooling, "another pooling"), (other_head, "another pooling"),
    (missing, "1 missing"), (no_words, "no vocabulary"), (no_bert, r"config\.json"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(
    r50: tuple[Path, dict[str, torch.Tensor]], change: Callable[[dict[str, Any], Path], None], says: str
) -> None:
    at, _ = r50
    content = torch.load(at / "model.tar", weights_only=True)
    change(content, at)
    torch.save(content, at / "model.tar")
    with pytest.raises(HilumError, match=says):
        opened(at)
