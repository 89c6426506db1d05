"""XrayCLIP's layout and recipe, on a tiny network."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoProcessor, AutoTokenizer, CLIPImageProcessorPil, CLIPModel

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import TEXTS, agree_on_films, agree_on_texts, cosine, films, rgb
from tests.kit.tiny import clip

MANY = (*TEXTS, "", "effusion", *(f"{chr(97 + n % 26)} nodule {'is ' * (n % 5)}seen" for n in range(34)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("clip") / "XrayCLIP__vit-b-16-512")


def opened(folder: Path) -> TorchEncoder:
    encoder = load("clip", Checkpoint(folder, "xrayclip", "test"))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def refusal(folder: Path) -> str:
    with pytest.raises(HilumError) as caught:
        opened(folder)
    assert caught.value.code is ErrorCode.FAILED_PRECONDITION and str(folder) not in caught.value.client_message
    return caught.value.client_message


def hub(folder: Path, film: Film) -> torch.Tensor:
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    return torch.from_numpy(processor(rgb(film), return_tensors="np")["pixel_values"])


def test_films(folder: Path) -> None:
    """The hub's processor on Pillow, a squash without a crop; then the projected class token."""
    model = AutoModel.from_pretrained(folder).eval()

    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            return model.get_image_features(pixel_values=hub(folder, film)).pooler_output[0].numpy()

    agree_on_films(opened(folder), reference)
    assert "squash-64-" in opened(folder).spec.preprocessing, "the size is the configuration's and not the name's 512"


def test_the_usual_centre_crop(folder: Path, tmp_path: Path) -> None:
    """OpenAI's own: the shortest edge, then the centre; in a file that leaves what is usual unsaid."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    settings = json.loads((copy / "preprocessor_config.json").read_text())
    for name in ("do_center_crop", "resample", "do_rescale", "image_processor_type"):
        settings.pop(name)
    settings |= {"crop_size": 64, "size": 64, "feature_extractor_type": "CLIPFeatureExtractor"}
    (copy / "preprocessor_config.json").write_text(json.dumps(settings))
    model = AutoModel.from_pretrained(folder).eval()
    processor = CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})

    def reference(film: Film) -> np.ndarray:
        pixels = torch.from_numpy(processor(rgb(film), return_tensors="np")["pixel_values"])
        with torch.no_grad():
            return model.get_image_features(pixel_values=pixels).pooler_output[0].numpy()

    agree_on_films(opened(copy), reference)


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("pad", ["<|endoftext|>", "!"])
def test_texts_alone_together_and_over_long(tmp_path: Path, legacy: bool, pad: str) -> None:
    """One text at a time, unpadded: the state of its end token, which is its last. Whatever pads, whatever
    number the configuration gives the end token, a batch comes to the same."""
    folder = clip(tmp_path / "clip", legacy=legacy, pad=pad)
    model, tokenizer = CLIPModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)

    def reference(text: str) -> np.ndarray:
        numbers = tokenizer(text)["input_ids"]
        numbers = numbers if len(numbers) <= 24 else [*numbers[:23], numbers[-1]]
        assert numbers[0] == len(tokenizer) - 2 and numbers[-1] == len(tokenizer) - 1
        with torch.no_grad():
            state = model.text_model(input_ids=torch.tensor([numbers])).last_hidden_state[0, -1]
            return model.text_projection(state).numpy()

    agree_on_texts(opened(folder), reference, MANY)


def test_texts_are_the_processors(folder: Path) -> None:
    """Against get_text_features behind the authors' processor, padded to the full length."""
    model, processor = CLIPModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)

    def reference(text: str) -> np.ndarray:
        tokens = processor(text=[text], padding="max_length", max_length=24, truncation=True, return_tensors="pt")
        with torch.no_grad():
            return model.get_text_features(**tokens).pooler_output[0].numpy()

    encoder = opened(folder)
    agree_on_texts(encoder, reference, MANY)
    assert encoder.network.logit_scale == pytest.approx(model.logit_scale.exp().item())


def test_a_tokenizer_without_the_towers_end_token_is_refused(folder: Path, tmp_path: Path) -> None:
    """The library would read every text at its first place: all texts, one vector, and no complaint."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 7
    (copy / "config.json").write_text(json.dumps(config))
    assert "end of a text" in refusal(copy)


def test_a_local_vector_is_its_patch_attending_to_itself_alone(folder: Path) -> None:
    """The last block with a mask that lets every place see itself only; then the class token's head."""
    model = CLIPModel.from_pretrained(folder, attn_implementation="eager").eval()
    vision = model.vision_model
    with torch.no_grad():
        state = vision.pre_layrnorm(vision.embeddings(torch.cat([hub(folder, film) for film in films()[:2]])))
        state = vision.encoder.layers[0](state, None)
        alone = torch.full((17, 17), float("-inf")).fill_diagonal_(0)
        state = vision.encoder.layers[1](state, alone[None, None])
        wanted = model.visual_projection(vision.post_layernorm(state[:, 1:])).reshape(2, 4, 4, 24)
    encoder = opened(folder)
    found = encoder.encode_patches([encoder.preprocess(film) for film in films()[:2]])
    assert found.reads_text and found.grid.shape == (2, 4, 4, 24)
    assert cosine(found.grid, wanted.numpy()).min() > 0.99999


def test_another_architecture_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"model_type": "siglip"}))
    assert "model_type" in refusal(copy)


def test_settings_that_make_no_sense_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["vision_config"]["image_size"] = "large"
    (copy / "config.json").write_text(json.dumps(config))
    assert "makes no sense" in refusal(copy)
    with pytest.raises(HilumError, match="architecture"):
        load("hf", Checkpoint(copy, "xrayclip", "test"))
