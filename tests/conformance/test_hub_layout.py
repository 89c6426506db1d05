"""What hub folders hold besides one safetensors file and one preprocessor_config.json."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BitImageProcessor, ViTConfig, ViTForImageClassification, ViTImageProcessor, ViTModel

from services.core.errors import ErrorCode, HilumError
from services.encoders.families import load
from services.encoders.hub_layout import read_recipe
from services.encoders.network import Checkpoint, TorchEncoder
from services.encoders.preprocess import Levels
from tests.kit.conformance import films
from tests.kit.tiny import TOWER, enliven

FILE = "preprocessor_config.json"


@pytest.fixture(scope="module")
def model() -> ViTForImageClassification:
    found = ViTForImageClassification(ViTConfig(**TOWER, image_size=64, patch_size=16, num_labels=3))
    enliven(found)
    return found


@pytest.fixture
def folder(model: ViTForImageClassification, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "vit")
    ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


def opened(at: Path) -> TorchEncoder:
    encoder = load("vit", Checkpoint(at, "vit", "test"))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def vectors(encoder: TorchEncoder) -> np.ndarray:
    return encoder.encode_images([encoder.preprocess(film) for film in films()])


def refusal(at: Path) -> str:
    with pytest.raises(HilumError) as caught:
        opened(at)
    assert caught.value.code is ErrorCode.FAILED_PRECONDITION and str(at) not in caught.value.client_message
    return caught.value.client_message


def sharded(model: ViTForImageClassification, folder: Path) -> list[Path]:
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="40KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2 and (folder / "model.safetensors.index.json").is_file()
    return shards


def test_shards_are_loaded_and_digested_all(model: ViTForImageClassification, folder: Path) -> None:
    whole = opened(folder)
    shards = sharded(model, folder)
    parts = opened(folder)
    np.testing.assert_array_equal(vectors(whole), vectors(parts))
    for shard in shards:
        kept = shard.read_bytes()
        shard.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        assert opened(folder).spec.weights_sha256 != parts.spec.weights_sha256, "one bit of any shard counts"
        shard.write_bytes(kept)
    assert opened(folder).spec.weights_sha256 == parts.spec.weights_sha256


def test_a_missing_shard_is_refused(model: ViTForImageClassification, folder: Path) -> None:
    sharded(model, folder)[1].unlink()
    refusal(folder)


def test_older_weights_are_read_without_running_what_they_hold(model: ViTForImageClassification, folder: Path) -> None:
    wanted = vectors(opened(folder))
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    np.testing.assert_array_equal(vectors(opened(folder)), wanted)

    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (folder / "ran",)

    torch.save({**model.state_dict(), "harm": Harm()}, folder / "pytorch_model.bin")
    assert "safely" in refusal(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Harm()))
    assert "safely" in refusal(folder)
    assert not (folder / "ran").exists()


def test_counted_positions_of_older_files_are_no_weights(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["vit.embeddings.position_ids"] = torch.arange(17)[None]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    opened(folder)


def test_either_file_of_the_image_processor_is_read(folder: Path) -> None:
    """Old: preprocessor_config.json. New: one processor_config.json with it inside. Both: the new one, as transformers
    has it, unless it is of the old kind that says nothing of pixels."""
    old = opened(folder).spec.preprocessing
    settings = json.loads((folder / FILE).read_text())
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "SiglipProcessor"}))
    assert opened(folder).spec.preprocessing == old
    nested = {"image_processor": settings | {"resample": 3}, "processor_class": "SiglipProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(nested))
    assert opened(folder).spec.preprocessing == old.replace("bilinear", "bicubic") != old
    (folder / FILE).unlink()
    assert opened(folder).spec.preprocessing == old.replace("bilinear", "bicubic")
    (folder / "processor_config.json").unlink()
    assert FILE in refusal(folder)


@pytest.mark.parametrize(("change", "name"), [
    ({"size": 64}, "squash-64-bilinear"),
    ({"resample": None}, None),
    ({"do_resize": False}, None),
    ({"do_rescale": False}, None),
    ({"do_normalize": False}, None),
    ({"do_pad": True}, None),
    ({"rescale_factor": 1 / 127.5}, None),
    ({"size": {"longest_edge": 64}}, None),
    ({"size": {"shortest_edge": 64}}, None),
    ({"size": {"height": 64, "width": 32}}, None),
    ({"size": {"shortest_edge": 80}, "do_center_crop": True, "crop_size": 64}, "shortest-80-bilinear-crop-64-floor"),
    ({"do_center_crop": True, "crop_size": {"height": 32, "width": 32}}, None),
])  # fmt: skip
def test_settings_are_followed_or_refused(folder: Path, change: dict[str, Any], name: str | None) -> None:
    settings = json.loads((folder / FILE).read_text()) | change
    (folder / FILE).write_text(json.dumps(settings))
    if name:
        assert name in opened(folder).spec.preprocessing
    else:
        refusal(folder)


@pytest.mark.parametrize(("kind", "usual"), [
    ("ViTImageProcessor", "squash-64-bilinear"), ("ViTFeatureExtractor", "squash-64-bilinear"),
    ("ViTImageProcessorFast", "squash-64-bilinear"), ("SiglipImageProcessor", "squash-64-bicubic"),
])  # fmt: skip
def test_what_a_file_leaves_unsaid_is_its_processors_default(folder: Path, kind: str, usual: str) -> None:
    settings = json.loads((folder / FILE).read_text())
    settings = {key: value for key, value in settings.items() if key not in ("resample", "image_processor_type")}
    (folder / FILE).write_text(json.dumps(settings | {"image_processor_type": kind}))
    assert usual in opened(folder).spec.preprocessing
    (folder / FILE).write_text(json.dumps(settings | {"image_processor_type": "OwnThing"}))
    assert "lacks" in refusal(folder)


def test_the_bundled_kind_of_processor_keeps_its_name(tmp_path: Path) -> None:
    """Names are in fingerprints: a renamed recipe would orphan every stored vector."""
    BitImageProcessor(
        size={"shortest_edge": 518}, crop_size={"height": 518, "width": 518}, image_mean=[0.5307] * 3,
        image_std=[0.2583] * 3, resample=3,
    ).save_pretrained(tmp_path)  # fmt: skip
    assert read_recipe(tmp_path, Levels("full")).name == (
        "full-shortest-518-bicubic-crop-518-floor-mean0.5307,0.5307,0.5307-std0.2583,0.2583,0.2583"
    )


def test_a_library_reports_nothing_of_what_it_finds(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """transformers tells, with the folder's path, of each tensor that it did not use."""
    copy = shutil.copytree(folder, folder.parent / "patient-4711")
    opened(copy)
    assert "4711" not in "".join((*capfd.readouterr(), caplog.text))
    assert ViTModel.__name__ not in caplog.text
