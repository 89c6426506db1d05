"""Any timm model, in small, against timm's own way: its local folder, its evaluation transform, its network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from timm.models import save_for_hf

from services.core.errors import HilumError
from services.core.types import Film
from services.encoders.base import Encoder
from services.encoders.families import load
from services.encoders.network import Checkpoint
from tests.kit.conformance import EXACT, agree_on_films, cosine, films, rgb

SWIN = {"img_size": 64, "window_size": 4, "embed_dim": 16, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 2, 4)}
MODELS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "vit": ("test_vit", {}, {"crop_pct": 0.9, "mean": [0.49185] * 3, "std": [0.28509] * 3}),
    "map": ("test_vit3", {}, {"crop_pct": 1.0, "crop_mode": "squash", "interpolation": "bilinear"}),
    "convnext": ("test_convnext", {}, {"crop_pct": 0.95, "crop_mode": "border", "mean": [0.45] * 3}),
    "efficientnet": ("test_efficientnet", {}, {"crop_pct": 0.875, "crop_mode": "squash"}),
    "swin": ("swin_tiny_patch4_window7_224", SWIN, {"input_size": [3, 64, 64], "crop_pct": 0.9}),
    "eva": ("eva02_tiny_patch14_224", {"img_size": 56, "depth": 2, "embed_dim": 96, "num_heads": 3},
            {"input_size": [3, 56, 56]}),
    "grey": ("test_resnet", {"in_chans": 1}, {"input_size": [1, 160, 160], "mean": [0.5], "std": [0.25]}),
}  # fmt: skip


def saved(at: Path, kind: str, **settings: Any) -> torch.nn.Module:
    """A random network of a kind in the folder `at`, by timm's own writer."""
    name, args, pixels = MODELS[kind]
    torch.manual_seed(2)
    model = timm.create_model(name, **{**args, **settings}, pretrained_cfg_overlay=pixels).eval()
    for parameter, tensor in model.named_parameters():
        scales = tensor.ndim == 1 and parameter.endswith("weight")
        torch.nn.init.normal_(tensor.data, 1.0 if scales else 0.0, 0.2)
    save_for_hf(model, at, model_args=args or None, safe_serialization=True)
    return model


def opened(at: Path, **options: object) -> Encoder:
    return load("timm", Checkpoint(at, "tiny", "test", options))


def tensor(model: torch.nn.Module, film: Film, channels: int = 3) -> torch.Tensor:
    """timm's evaluation transform."""
    data = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**data, is_training=False)
    return transform(rgb(film) if channels == 3 else rgb(film).convert("L"))[None]


@pytest.mark.parametrize("kind", MODELS)
@torch.no_grad()
def test_the_vector_is_what_timm_puts_before_its_classifier(tmp_path: Path, kind: str) -> None:
    saved(tmp_path, kind)
    model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    headless = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=0).eval()
    encoder, channels = opened(tmp_path), MODELS[kind][2].get("input_size", [3])[0]
    agree_on_films(encoder, lambda film: headless(tensor(model, film, channels))[0].numpy())


@torch.no_grad()
def test_class_token_mean_of_places_and_the_places_themselves(tmp_path: Path) -> None:
    model = saved(tmp_path, "vit")
    tokens = {id(film): model.forward_features(tensor(model, film))[0] for film in films()}
    agree_on_films(opened(tmp_path, pooling="cls"), lambda film: tokens[id(film)][0].numpy())
    agree_on_films(opened(tmp_path, pooling="mean"), lambda film: tokens[id(film)][1:].mean(0).numpy())
    encoder = opened(tmp_path)
    found = encoder.encode_patches([encoder.preprocess(film) for film in films()])  # type: ignore[attr-defined]
    wanted = np.stack([tokens[id(film)][1:].reshape(10, 10, -1).numpy() for film in films()])
    assert not found.reads_text and cosine(found.grid, wanted).min() >= EXACT
    names = {opened(tmp_path, pooling=pooling).spec.fingerprint for pooling in ("default", "cls", "mean")}
    assert len(names) == 3, "vectors that differ have names that differ"


@pytest.mark.parametrize("kind", ["swin", "convnext"])
@torch.no_grad()
def test_maps_have_places_whatever_the_order_of_their_axes(tmp_path: Path, kind: str) -> None:
    model = saved(tmp_path, kind)
    encoder, film = opened(tmp_path), films()[2]
    features = model.forward_features(tensor(model, film))[0]
    wanted = (features if kind == "swin" else features.permute(1, 2, 0)).numpy()
    found = encoder.encode_patches([encoder.preprocess(film)])  # type: ignore[attr-defined]
    assert cosine(found.grid[0], wanted).min() >= EXACT


@torch.no_grad()
def test_a_file_of_older_timm_describes_itself_in_one_piece(tmp_path: Path) -> None:
    saved(tmp_path, "vit")
    config = json.loads((tmp_path / "config.json").read_text())
    flat = {**config["pretrained_cfg"], "architecture": config["architecture"], "num_classes": config["num_classes"]}
    (tmp_path / "config.json").write_text(json.dumps(flat))
    model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    headless = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=0).eval()
    agree_on_films(opened(tmp_path), lambda film: headless(tensor(model, film))[0].numpy())


@pytest.mark.parametrize("change", [
    {"architecture": "test_vit2"}, {"num_classes": 7}, {"model_args": {"depth": 3}}, {"architecture": "no_such"},
    {"model_args": {"pretrained_strict": False, "depth": 9}},
])  # fmt: skip
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    saved(tmp_path, "vit")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(HilumError) as caught:
        opened(tmp_path)
    assert str(tmp_path) not in caught.value.client_message


def test_a_configuration_cannot_send_for_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`url`, `hf_hub_id`, `file`: where timm would look first, if it were let."""
    saved(tmp_path, "vit")
    config = json.loads((tmp_path / "config.json").read_text())
    batch = [opened(tmp_path).preprocess(films()[0])]
    wanted = opened(tmp_path).encode_images(batch)
    config["pretrained_cfg"] |= {"url": "http://127.0.0.1:9/x", "hf_hub_id": "timm/x", "file": "/nowhere/x.pth",
                                 "source": "url", "custom_load": True}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it went to the network"))
    np.testing.assert_array_equal(opened(tmp_path).encode_images(batch), wanted)


def test_options_that_make_no_sense(tmp_path: Path) -> None:
    saved(tmp_path, "swin")
    for pooling in ("cls", "best"):
        with pytest.raises(HilumError, match="pooling"):
            opened(tmp_path, pooling=pooling)
