"""MedSigLIP's and XraySigLIP's layout and recipes, on a tiny network."""

import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate
from transformers import AutoModel, AutoProcessor, SiglipImageProcessorPil, SiglipModel

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.base import Frame
from services.encoders.families import load
from services.encoders.google import SquarePad, TensorflowBilinear
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import TEXTS, agree_on_films, agree_on_texts, cosine, films, rgb
from tests.kit.tiny import siglip, siglip_tokenizer

MANY = (*TEXTS, "Edema?", "effusion", *(f"{n} nodules are seen" for n in range(34)))  # more than one forward pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name says 384 while its configuration says 56, as XraySigLIP's says 384 and takes 512."""
    return siglip(tmp_path_factory.mktemp("siglip") / "XraySigLIP__vit-l-16-siglip-384__webli")


def opened(folder: Path, **options: str) -> TorchEncoder:
    encoder = load("siglip", Checkpoint(folder, "medsiglip", "test", options))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def refusal(folder: Path, **options: str) -> HilumError:
    with pytest.raises(HilumError) as caught:
        opened(folder, **options)
    assert str(folder) not in caught.value.client_message
    return caught.value


def hub(film: Film) -> torch.Tensor:
    """The hub's processor as it stands, on Pillow."""
    processor = SiglipImageProcessorPil(size={"height": 56, "width": 56})
    return torch.from_numpy(processor(rgb(film), return_tensors="np")["pixel_values"])


def card(film: Film) -> torch.Tensor:
    """The card's ``tf.image.resize(..., antialias=False)``, as torch has it, truncated and scaled to -1..1.

    Torch's weights can put a flat 200 at 199.99999, which truncation would make 199: a thousandth is added first.
    """
    resized = interpolate(torch.tensor(film.display)[None, None].float(), (56, 56), mode="bilinear", antialias=False)
    return (torch.floor(resized + 1e-3) / 127.5 - 1).expand(1, 3, 56, 56)


def vertex(film: Film) -> torch.Tensor:
    """The serving code: 0–1, black to a square, SiglipImageProcessor without rescaling."""
    grey = film.display.astype(np.float32) / 255
    height, width = grey.shape
    side = max(height, width)
    square = np.zeros((side, side, 3), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = grey[:, :, None]
    processor = SiglipImageProcessorPil(size={"height": 56, "width": 56}, do_rescale=False)
    return torch.from_numpy(processor(square, return_tensors="np", input_data_format="channels_last")["pixel_values"])


@pytest.mark.parametrize("recipe", [hub, card, vertex])
def test_films_by_each_of_the_authors_recipes(folder: Path, recipe) -> None:
    model = AutoModel.from_pretrained(folder).eval()

    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            return model.vision_model(recipe(film)).pooler_output[0].numpy()

    agree_on_films(opened(folder, preprocessing=recipe.__name__), reference)


def test_the_three_recipes_are_three_models(folder: Path) -> None:
    """They agree neither in the fingerprint nor in the vector of a film that is no square."""
    encoders = [opened(folder, preprocessing=name) for name in ("hub", "card", "vertex")]
    assert len({encoder.spec.fingerprint for encoder in encoders}) == 3
    vectors = [encoder.encode_images([encoder.preprocess(films()[1])])[0] for encoder in encoders]
    assert all(cosine(a, b) < 0.9999 for a, b in combinations(vectors, 2)), "far below what equal recipes reach"


def test_the_size_is_the_configurations_and_never_the_names(folder: Path) -> None:
    assert all("-56-" in opened(folder, preprocessing=name).spec.preprocessing for name in ("hub", "card", "vertex"))


def test_a_processor_of_another_size_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    settings = json.loads((copy / "preprocessor_config.json").read_text())
    (copy / "preprocessor_config.json").write_text(json.dumps(settings | {"size": {"height": 70, "width": 70}}))
    assert refusal(copy).code is ErrorCode.FAILED_PRECONDITION


def test_an_unknown_recipe_is_refused_by_name(folder: Path) -> None:
    error = refusal(folder, preprocessing="squash")
    assert error.code is ErrorCode.INVALID_ARGUMENT and "card" in error.client_message


def test_texts_alone_together_and_over_long(folder: Path) -> None:
    """The authors' processor with padding="max_length", one text at a time; here all at once."""
    model, processor = SiglipModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)

    def reference(text: str) -> np.ndarray:
        tokens = processor(text=[text], padding="max_length", max_length=64, truncation=True, return_tensors="pt")
        assert tokens["input_ids"].shape == (1, 64)
        with torch.no_grad():
            return model.get_text_features(**tokens).pooler_output[0].numpy()

    encoder = opened(folder)
    agree_on_texts(encoder, reference, MANY)
    agree_on_texts(encoder, reference, ["effusion"])
    assert encoder.spec.text_space and encoder.network.logit_scale == pytest.approx(model.logit_scale.exp().item())


def test_padding_decides_a_text_and_ours_is_the_padded_one(folder: Path) -> None:
    """What a careless caller gets: the tower reads the last position, which without padding is another one."""
    model, processor = SiglipModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)
    with torch.no_grad():
        careless = model.get_text_features(**processor(text=["effusion"], return_tensors="pt")).pooler_output[0].numpy()
    assert cosine(careless, opened(folder).encode_texts(["effusion"])[0]) < 0.9


def test_a_tokenizer_that_also_writes_a_mask_changes_nothing(folder: Path, tmp_path: Path) -> None:
    """Files that name no inputs make the tokenizer mask the padding, which the tower was trained to read."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    siglip_tokenizer(copy, model_input_names=["input_ids", "attention_mask"])
    found, wanted = (opened(at).encode_texts(["effusion", "no edema"]) for at in (copy, folder))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_missing_vocabulary_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "spiece.model").unlink()
    assert "vocabulary" in refusal(copy).client_message


def test_another_tokenizer_is_another_text_space(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    siglip_tokenizer(copy, do_lower_case=False)
    assert opened(copy).spec.text_space != opened(folder).spec.text_space
    loud, quiet = opened(copy).encode_texts(["Small EDEMA", "small edema"])
    np.testing.assert_allclose(loud, quiet, atol=1e-6)


def test_a_local_vector_is_the_pool_of_its_patch_alone(folder: Path) -> None:
    """Written out from the tensors: value projection, output projection, MLP with its residual; no query, no key."""
    encoder = opened(folder)
    found = encoder.encode_patches([encoder.preprocess(film) for film in films()[:2]])
    model = SiglipModel.from_pretrained(folder).eval()
    head = model.vision_model.head
    with torch.no_grad():
        tokens = model.vision_model(torch.cat([hub(film) for film in films()[:2]])).last_hidden_state
        value, bias = head.attention.in_proj_weight[64:], head.attention.in_proj_bias[64:]
        each = (tokens @ value.T + bias) @ head.attention.out_proj.weight.T + head.attention.out_proj.bias
        each = each + head.mlp(head.layernorm(each))
    assert found.reads_text and found.grid.shape == (2, 4, 4, 32)
    assert cosine(found.grid, each.reshape(2, 4, 4, 32).numpy()).min() > 0.99999


def test_tensorflows_bilinear_to_the_last_bit() -> None:
    """Levels that TensorFlow 2.21 gave for this ramp, and a flat film, which truncation must leave as it is."""
    ramp = (np.arange(7)[:, None] * 37 + np.arange(5) * 50).astype(np.uint8)
    assert TensorflowBilinear(3)(ramp).tolist() == [[41, 124, 208], [127, 211, 38], [185, 41, 124]]
    assert set(TensorflowBilinear(448)(np.full((201, 173), 200, np.uint8)).ravel()) == {200}


def test_where_black_is_put_and_what_a_patch_covers() -> None:
    """An odd margin: the smaller half above or to the left."""
    tall, wide = np.full((9, 4), 255, np.uint8), np.full((4, 9), 255, np.uint8)
    assert (SquarePad(9)(tall)[4] > 0).tolist() == [False] * 2 + [True] * 4 + [False] * 3
    assert (SquarePad(9)(wide)[:, 4] > 0).tolist() == [False] * 2 + [True] * 4 + [False] * 3
    assert SquarePad(9).frame(9, 4) == Frame(0, -2, 9, 9) and SquarePad(9).frame(4, 9) == Frame(-2, 0, 9, 9)
