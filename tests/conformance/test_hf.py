"""Any model of transformers by options: what is pooled, what is refused, and two towers that no family knows."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    AutoModel,
    AutoTokenizer,
    ConvNextConfig,
    ConvNextImageProcessor,
    ConvNextImageProcessorPil,
    ConvNextModel,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ConvNextConfig,
    DINOv3ConvNextModel,
    SwinConfig,
    SwinModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    ViTImageProcessorPil,
    ViTMAEConfig,
    ViTMAEModel,
    ViTModel,
)

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import agree_on_films, agree_on_texts, cosine, films, rgb
from tests.kit.tiny import TOWER, clip, clip_tokenizer, enliven, siglip

SIZE = {"height": 64, "width": 64}
VIT = {**TOWER, "image_size": 64, "patch_size": 16}


def published(at: Path, model: torch.nn.Module) -> Path:
    enliven(model)
    model.save_pretrained(at)
    ViTImageProcessor(size=SIZE).save_pretrained(at)
    return at


def opened(folder: Path, **options: object) -> TorchEncoder:
    encoder = load("hf", Checkpoint(folder, "own", "test", options))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def refusal(folder: Path, **options: object) -> HilumError:
    with pytest.raises(HilumError) as caught:
        opened(folder, **options)
    assert str(folder) not in caught.value.client_message
    return caught.value


def by(folder: Path, pooled: Callable[..., torch.Tensor]) -> Callable[[Film], np.ndarray]:
    model, processor = AutoModel.from_pretrained(folder).eval(), ViTImageProcessorPil(size=SIZE)

    def reference(film: Film) -> np.ndarray:
        pixels = torch.from_numpy(processor(rgb(film), return_tensors="np")["pixel_values"])
        with torch.no_grad():
            return pooled(model(pixel_values=pixels)).numpy()

    return reference


def test_pooling_is_what_its_user_says(tmp_path: Path) -> None:
    folder = published(tmp_path / "vit", ViTModel(ViTConfig(**VIT)))
    agree_on_films(opened(folder, pooling="cls"), by(folder, lambda seen: seen.last_hidden_state[0, 0]))
    agree_on_films(opened(folder, pooling="mean"), by(folder, lambda seen: seen.last_hidden_state[0, 1:].mean(0)))
    agree_on_films(opened(folder, pooling="pooler"), by(folder, lambda seen: seen.pooler_output[0]))
    specs = [opened(folder, pooling=pooling).spec for pooling in ("cls", "mean", "pooler")]
    assert len({spec.fingerprint for spec in specs}) == 3


def test_registers_are_no_patches(tmp_path: Path) -> None:
    model = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=64, patch_size=16,
        num_register_tokens=4,
    ))  # fmt: skip
    folder = published(tmp_path / "registers", model)
    encoder = opened(folder, pooling="mean")
    agree_on_films(encoder, by(folder, lambda seen: seen.last_hidden_state[0, 5:].mean(0)))
    assert encoder.encode_patches([encoder.preprocess(films()[0])]).grid.shape == (1, 4, 4, 32)


def test_a_network_of_shrinking_windows_has_no_class_token(tmp_path: Path) -> None:
    config = SwinConfig(image_size=64, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4)
    folder = published(tmp_path / "swin", SwinModel(config))
    assert refusal(folder, pooling="cls").code is ErrorCode.INVALID_ARGUMENT
    encoder = opened(folder, pooling="mean")
    agree_on_films(encoder, by(folder, lambda seen: seen.last_hidden_state[0].mean(0)))
    assert encoder.encode_patches([encoder.preprocess(films()[0])]).grid.shape == (1, 8, 8, 32)


def test_a_pooled_token_before_a_smaller_square_is_no_patch(tmp_path: Path) -> None:
    """DINOv3's ConvNeXts put their pooled vector before the places of the last stage."""
    config = DINOv3ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], image_size=64)
    folder = published(tmp_path / "dinov3", DINOv3ConvNextModel(config))
    encoder = opened(folder, pooling="mean")
    agree_on_films(encoder, by(folder, lambda seen: seen.last_hidden_state[0, 1:].mean(0)))
    assert encoder.encode_patches([encoder.preprocess(films()[0])]).grid.shape == (1, 2, 2, 16)
    agree_on_films(opened(folder, pooling="pooler"), by(folder, lambda seen: seen.pooler_output[0]))


@pytest.mark.parametrize("edge", [64, 384])
def test_a_convolutional_network_and_its_crop(tmp_path: Path, edge: int) -> None:
    """ConvNeXt's processor crops a share of the film below 384 pixels, and squashes the whole of it from there on."""
    config = ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, image_size=edge)
    model = ConvNextModel(config)
    folder = published(tmp_path / "convnext", model)
    ConvNextImageProcessor(size={"shortest_edge": edge}, crop_pct=0.9).save_pretrained(folder)
    processor = ConvNextImageProcessorPil(size={"shortest_edge": edge}, crop_pct=0.9)

    def reference(film: Film) -> np.ndarray:
        pixels = torch.from_numpy(processor(rgb(film), return_tensors="np")["pixel_values"])
        with torch.no_grad():
            return model.eval()(pixel_values=pixels).last_hidden_state[0].mean((1, 2)).numpy()

    encoder = opened(folder, pooling="mean")
    agree_on_films(encoder, reference)
    assert encoder.encode_patches([encoder.preprocess(films()[0])]).grid.shape == (1, edge // 8, edge // 8, 16)
    assert refusal(folder, pooling="cls").code is ErrorCode.INVALID_ARGUMENT


def test_a_classifiers_head_is_left_and_its_missing_pooler_refused(tmp_path: Path) -> None:
    folder = published(tmp_path / "vit", ViTForImageClassification(ViTConfig(**VIT, num_labels=3)))
    agree_on_films(opened(folder, pooling="cls"), by(folder, lambda seen: seen.last_hidden_state[0, 0]))
    error = refusal(folder, pooling="pooler")
    assert error.code is ErrorCode.FAILED_PRECONDITION and "missing" in error.client_message


def test_nothing_is_guessed(tmp_path: Path) -> None:
    folder = published(tmp_path / "vit", ViTModel(ViTConfig(**VIT)))
    for options in ({}, {"pooling": "max"}, {"pooling": "cls", "levels": "window"}):
        error = refusal(folder, **options)
        assert error.code is ErrorCode.INVALID_ARGUMENT and "option" in error.client_message


def test_a_model_that_draws_at_random_is_refused(tmp_path: Path) -> None:
    """A masked autoencoder hides patches by lot each time it looks."""
    folder = published(tmp_path / "mae", ViTMAEModel(ViTMAEConfig(**VIT)))
    assert "more than one vector" in refusal(folder, pooling="mean").client_message


def test_code_in_a_folder_is_not_run(tmp_path: Path) -> None:
    folder = published(tmp_path / "remote", ViTModel(ViTConfig(**VIT)))
    ran = tmp_path / "ran"
    for name in ("configuration_own", "modeling_own"):
        (folder / f"{name}.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Own: ...\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoConfig": "configuration_own.Own", "AutoModel": "modeling_own.Own"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    assert "code in a folder is not run" in refusal(folder, pooling="cls").client_message
    assert not ran.exists()


def test_a_picture_of_a_size_the_network_does_not_take_is_refused(tmp_path: Path) -> None:
    folder = published(tmp_path / "vit", ViTModel(ViTConfig(**VIT)))
    ViTImageProcessor(size={"height": 80, "width": 80}).save_pretrained(folder)
    assert refusal(folder, pooling="cls").code is ErrorCode.FAILED_PRECONDITION


@pytest.mark.parametrize(("family", "publish"), [("siglip", siglip), ("clip", clip)])
def test_what_has_a_family_is_left_to_it(family: str, publish: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = publish(tmp_path / family)
    own, generic = (load(name, Checkpoint(folder, "own", "test")) for name in (family, "hf"))
    assert own.spec == generic.spec
    np.testing.assert_array_equal(own.encode_texts(["no edema"]), generic.encode_texts(["no edema"]))
    assert refusal(folder, pooling="cls").code is ErrorCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def altclip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two towers of a kind that has no family here."""
    at = tmp_path_factory.mktemp("altclip")
    count = clip_tokenizer(at, pad="!")
    text = {**TOWER, "vocab_size": count, "max_position_embeddings": 30, "project_dim": 32, "pad_token_id": 0}
    model = AltCLIPModel(AltCLIPConfig(
        vision_config={**TOWER, "image_size": 64, "patch_size": 16, "projection_dim": 24}, text_config=text,
        projection_dim=24,
    ))  # fmt: skip
    return published(at, model)


def test_two_towers(altclip: Path) -> None:
    """Against the vectors that the model itself compares."""
    model, tokenizer = AltCLIPModel.from_pretrained(altclip).eval(), AutoTokenizer.from_pretrained(altclip)
    processor = ViTImageProcessorPil(size=SIZE)

    def whole(film: Film, text: str):
        pixels = torch.from_numpy(processor(rgb(film), return_tensors="np")["pixel_values"])
        with torch.no_grad():
            return model(pixel_values=pixels, **tokenizer([text], return_tensors="pt", truncation=True, max_length=24))

    encoder = opened(altclip)
    agree_on_films(encoder, lambda film: whole(film, "edema").image_embeds[0].numpy())
    agree_on_texts(encoder, lambda text: whole(films()[0], text).text_embeds[0].numpy())
    assert encoder.spec.dim == 24 and encoder.network.logit_scale == pytest.approx(model.logit_scale.exp().item())


def test_features_of_older_transformers_are_tensors(altclip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 5 returns an output with the vector in it; both are read."""
    new = opened(altclip)
    pixels = [new.preprocess(films()[0])]
    wanted = new.encode_images(pixels), new.encode_texts(["no edema"])
    for name in ("get_image_features", "get_text_features"):
        get = getattr(AltCLIPModel, name)

        def tensor(self, input_ids=None, attention_mask=None, pixel_values=None, get=get):
            words = {"input_ids": input_ids, "attention_mask": attention_mask}
            return get(self, **({"pixel_values": pixel_values} if input_ids is None else words)).pooler_output

        monkeypatch.setattr(AltCLIPModel, name, tensor)
    old = opened(altclip)
    np.testing.assert_allclose(old.encode_images(pixels), wanted[0], atol=1e-6)
    np.testing.assert_allclose(old.encode_texts(["no edema"]), wanted[1], atol=1e-6)


def test_padding_and_length_are_options_and_part_of_the_text_space(altclip: Path) -> None:
    usual, padded, short = opened(altclip), opened(altclip, padding="max_length"), opened(altclip, max_length="6")
    assert len({encoder.spec.text_space for encoder in (usual, padded, short)}) == 3
    texts = ["small left effusion", "small nodule"]  # four letters of six tokens are left of each
    assert cosine(*short.encode_texts(texts)) > 0.99999 > cosine(*usual.encode_texts(texts))
    for options in ({"padding": "left"}, {"max_length": 25}, {"max_length": "all"}):
        assert refusal(altclip, **options).code is ErrorCode.INVALID_ARGUMENT


def test_features_that_the_model_itself_does_not_compare_are_refused(
    altclip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model may project or mix between its features and what it compares; the features then share no space."""
    get = AltCLIPModel.get_text_features

    def turned(self, input_ids=None, attention_mask=None):
        seen = get(self, input_ids=input_ids, attention_mask=attention_mask)
        seen.pooler_output = seen.pooler_output.roll(1, dims=-1)
        return seen

    monkeypatch.setattr(AltCLIPModel, "get_text_features", turned)
    assert refusal(altclip).code is ErrorCode.FAILED_PRECONDITION


def test_a_context_that_the_text_tower_does_not_have_is_found_when_loading(altclip: Path, tmp_path: Path) -> None:
    """RoBERTa's positions begin after its padding token: a tokenizer that does not know runs over their end."""
    folder = shutil.copytree(altclip, tmp_path / "copy")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 1000}))
    assert refusal(folder).code is ErrorCode.FAILED_PRECONDITION
    opened(folder, max_length=24)
