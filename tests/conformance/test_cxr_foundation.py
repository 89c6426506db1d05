"""CXR-Foundation's SavedModels and Google's way with them, on tiny graphs of the same signatures."""

from __future__ import annotations

import importlib.util
import io
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.base import Encoder
from services.encoders.families import load
from services.encoders.network import Checkpoint
from tests.kit import cxr_foundation
from tests.kit.conformance import agree_on_films, agree_on_texts, films

needs_tensorflow = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("tensorflow", "tensorflow_text"))),
    reason="TensorFlow is not installed: pip install 'hilum[cxr-foundation]' (1.9 GB)",
)
TEXTS = ("no pleural effusion", "Small LEFT pleural effusion, with opacity.", "cardiomegaly " * 150, "édema zzz9", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cxr_foundation.write(tmp_path_factory.mktemp("cxr-foundation"))


def opened(folder: Path, space: str) -> Encoder:
    return load("cxr-foundation", Checkpoint(folder, "cxr-foundation", "test", {"space": space}))


def graph(folder: Path, name: str) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(str(folder / name)).signatures["serving_default"]


def seen(folder: Path, file: bytes) -> dict[str, np.ndarray]:
    """As the notebook asks: lists, zeros for words."""
    import tensorflow as tf

    features = tf.train.Features(feature={
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[file])),
        "image/format": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"png"])),
    })  # fmt: skip
    example = tf.train.Example(features=features).SerializeToString()
    maps = graph(folder, "elixr-c-v2-pooled")(input_example=tf.constant([example]))["feature_maps_0"].numpy()
    found = graph(folder, "pax-elixr-b-text")(
        image_feature=maps.tolist(), ids=np.zeros((1, 1, 128), np.int32).tolist(),
        paddings=np.zeros((1, 1, 128), np.float32).tolist(),
    )  # fmt: skip
    return {name: value.numpy()[0] for name, value in found.items()}


def picture(film: Film, bits: int = 8) -> bytes:
    grey = film.display.astype(np.float32)
    grey -= grey.min()
    file = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8 if bits == 8 else np.uint16)).save(file, "PNG")
    return file.getvalue()


@needs_tensorflow
def test_films_in_the_general_space(folder: Path) -> None:
    encoder = opened(folder, "general")
    agree_on_films(encoder, lambda film: seen(folder, picture(film))["img_emb"].mean(axis=0))
    assert encoder.spec.shape == (768,) and encoder.spec.text_space is None
    with pytest.raises(HilumError, match="contrastive"):
        encoder.encode_texts(["x"])


@needs_tensorflow
def test_films_in_the_space_of_words(folder: Path) -> None:
    encoder = opened(folder, "contrastive")
    agree_on_films(encoder, lambda film: seen(folder, picture(film))["all_contrastive_img_emb"])
    assert encoder.spec.shape == (32, 128) and encoder.spec.text_space


@needs_tensorflow
def test_words_are_cut_as_googles_preprocessor_cuts_them(folder: Path) -> None:
    """TensorFlow Text's own BERT tokenizer, which TensorFlow Hub's preprocessor wraps; the end token is padding."""
    import tensorflow as tf
    import tensorflow_text

    cut = tensorflow_text.BertTokenizer(str(folder / "bert" / "vocab.txt"), lower_case=True)
    binds = graph(folder, "pax-elixr-b-text")

    def reference(text: str) -> np.ndarray:
        inner = cut.tokenize([text.lower()]).merge_dims(1, 2).to_list()[0][:126]
        ids = np.zeros((1, 1, 128), np.int32)
        paddings = np.ones((1, 1, 128), np.float32)
        ids[0, 0, : len(inner) + 1] = [101, *inner]
        paddings[0, 0, : len(inner) + 1] = 0
        return binds(image_feature=tf.zeros((1, 8, 8, 1376)), ids=tf.constant(ids), paddings=tf.constant(paddings))[
            "contrastive_txt_emb"
        ].numpy()[0]

    encoder = opened(folder, "contrastive")
    agree_on_texts(encoder, reference, TEXTS)
    assert encoder.encode_texts([]).shape == (0, 128) and encoder.encode_images([]).shape == (0, 32, 128)


@needs_tensorflow
def test_sixteen_bits_would_be_black(folder: Path) -> None:
    """What the authors' older library sent: every film is the same to the graph. Ours are of eight bits, and differ."""
    black = [seen(folder, picture(film, bits=16))["img_emb"] for film in films()[:2]]
    np.testing.assert_array_equal(*black)
    encoder = opened(folder, "general")
    prepared = [encoder.preprocess(film) for film in films()[:2]]
    for file, film in zip(prepared, films(), strict=False):
        depth, colour = struct.unpack(">BB", file.tobytes()[24:26])
        assert (depth, colour) == (8, 0)
        assert Image.open(io.BytesIO(file.tobytes())).size == film.display.shape[::-1]
    first, second = encoder.encode_images(prepared)
    assert first @ second < 0.99999


@needs_tensorflow
@pytest.mark.parametrize("missing, said", [
    ("elixr-c-v2-pooled/saved_model.pb", "elixr-c-v2-pooled"), ("pax-elixr-b-text/variables", "pax-elixr-b-text"),
    ("bert", "bert/vocab.txt"),
])  # fmt: skip
def test_a_part_that_is_missing_is_named(folder: Path, tmp_path: Path, missing: str, said: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    victim = copy / missing
    shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
    with pytest.raises(HilumError, match=said) as error:
        opened(copy, "contrastive")
    assert error.value.code is ErrorCode.FAILED_PRECONDITION and str(tmp_path) not in error.value.client_message


@needs_tensorflow
def test_another_vocabulary_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    words = (copy / "bert" / "vocab.txt").read_text()
    (copy / "bert" / "vocab.txt").write_text("first\n" + words)
    with pytest.raises(HilumError, match="bert/vocab"):
        opened(copy, "contrastive")


@needs_tensorflow
def test_swapped_or_spoilt_graphs_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "elixr-c-v2-pooled").rename(copy / "x")
    (copy / "pax-elixr-b-text").rename(copy / "elixr-c-v2-pooled")
    (copy / "x").rename(copy / "pax-elixr-b-text")
    with pytest.raises(HilumError, match="other inputs"):
        opened(copy, "general")
    (copy / "elixr-c-v2-pooled" / "saved_model.pb").write_bytes(b"\x0a\xff\xff\xff\xff not a graph")
    with pytest.raises(HilumError, match="cannot be read"):
        opened(copy, "general")


@needs_tensorflow
def test_a_flipped_bit_of_the_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    data = next((copy / "pax-elixr-b-text" / "variables").glob("variables.data*"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(HilumError, match="pax-elixr-b-text cannot be read"):
        opened(copy, "general")


@needs_tensorflow
def test_a_graph_that_would_write_a_file_is_refused_before_it_runs(folder: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    target = tmp_path / "written"

    class Evil(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="input_example")])
        def serve(self, input_example: Any) -> dict[str, Any]:
            tf.io.write_file(str(target), "x")
            return {"feature_maps_0": tf.zeros((1, 8, 8, 1376))}

    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(copy / "elixr-c-v2-pooled")
    module = Evil()
    tf.saved_model.save(module, str(copy / "elixr-c-v2-pooled"), signatures={"serving_default": module.serve})
    with pytest.raises(HilumError, match="WriteFile"):
        opened(copy, "general")
    assert not target.exists()


@needs_tensorflow
def test_spaces_weights_and_vocabulary_are_in_the_fingerprint(folder: Path, tmp_path: Path) -> None:
    specs = [opened(folder, space).spec for space in ("general", "contrastive")]
    copy = shutil.copytree(folder, tmp_path / "copy")
    with (copy / "bert" / "vocab.txt").open("a") as file:
        file.write("pneumothorax\n")
    specs.append(opened(copy, "contrastive").spec)
    with (copy / "elixr-c-v2-pooled" / "saved_model.pb").open("ab") as file:
        file.write(b"\x9a\x3f\x01x")  # a field that nothing knows: another file of the same graph
    specs.append(opened(copy, "contrastive").spec)
    assert len({spec.fingerprint for spec in specs}) == 4


def test_without_tensorflow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    with pytest.raises(HilumError, match=r"hilum\[cxr-foundation\]"):
        opened(tmp_path, "general")


def test_an_unknown_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HilumError, match="general, contrastive"):
        opened(tmp_path, "both")
