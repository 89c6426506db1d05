"""torchxrayvision's files and recipe, on tiny networks; its own classes are stood in for by torchvision's."""

import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy import ndimage
from torchvision.models import DenseNet, ResNet
from torchvision.models.resnet import Bottleneck

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders.families import load
from services.encoders.network import Checkpoint, TorchEncoder
from tests.kit.conformance import agree_on_films, films

SIZE = 64
pytestmark = [
    pytest.mark.filterwarnings("ignore:Couldn't retrieve source code"),  # the test's own networks, being pickled
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated"),
]


def opened(at: Path, **options: object) -> TorchEncoder:
    encoder = load("torchxrayvision", Checkpoint(at, "xrv", "test", {"size": SIZE, **options}))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def stirred(network: torch.nn.Module) -> torch.nn.Module:
    """A fresh batch norm does nothing; a trained one does."""
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(std=0.1)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_(std=0.3)
    return network.eval()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> type[DenseNet]:
    """A class that pickles under the library's name, while the library is there."""
    module = ModuleType("torchxrayvision.models")
    named = type("DenseNet", (DenseNet,), {"__module__": module.__name__, "__qualname__": "DenseNet"})
    module.DenseNet = named
    monkeypatch.setitem(sys.modules, "torchxrayvision", ModuleType("torchxrayvision"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return named


@pytest.fixture
def densenet(published: type[DenseNet]) -> DenseNet:
    torch.manual_seed(0)
    network = published(growth_rate=4, block_config=(2, 3, 1, 2), num_init_features=8, bn_size=2, num_classes=18)
    network.features.conv0 = torch.nn.Conv2d(1, 8, 7, 2, 3, bias=False)
    network.register_buffer("op_threshs", None)
    return stirred(network)


def prepared(film: Film) -> torch.Tensor:
    """normalize(img, 255), XRayCenterCrop, XRayResizer(SIZE) with its default engine: what scikit-image's resize does
    with an array of floats, constant mode, is these two calls of scipy."""
    pixels = (2 * (film.display.astype(np.float32) / 255) - 1.0) * 1024
    height, width = pixels.shape
    side = min(height, width)
    top, left = height // 2 - side // 2, width // 2 - side // 2
    pixels = pixels[top : top + side, left : left + side]
    if side > SIZE:
        pixels = ndimage.gaussian_filter(pixels, (side / SIZE - 1) / 2, mode="grid-constant", cval=0)
    pixels = ndimage.zoom(pixels, SIZE / side, order=1, mode="grid-constant", cval=0, grid_mode=True)
    return torch.from_numpy(pixels)[None, None]


def features2(network: torch.nn.Module) -> Callable[[Film], np.ndarray]:
    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            maps = torch.relu(network.features(prepared(film)))
            return torch.nn.functional.adaptive_avg_pool2d(maps, (1, 1)).flatten().numpy()

    return reference


@pytest.mark.parametrize("written", ["pickled, torch before 1.6", "pickled", "state_dict", "safetensors"])
def test_vectors_are_features2(
    densenet: DenseNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """The releases are whole pickled networks; the library's code is gone when they are read."""
    if written == "safetensors":
        save_file({n: t.contiguous() for n, t in densenet.state_dict().items()}, tmp_path / "nih.safetensors")
    else:
        content = densenet.state_dict() if written == "state_dict" else densenet
        torch.save(content, tmp_path / "nih-best.pt", _use_new_zipfile_serialization="before" not in written)
    monkeypatch.setitem(sys.modules, "torchxrayvision.models", None)
    agree_on_films(opened(tmp_path), features2(densenet))


def test_a_pickled_network_has_its_tensors_exactly(densenet: DenseNet, tmp_path: Path) -> None:
    torch.save(densenet, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    network = opened(tmp_path).network.module
    wanted = densenet.state_dict()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=0)


def test_resnet_50_is_read_too(tmp_path: Path) -> None:
    """The release of resnet50-res512-all is a state dict with a first layer of one channel."""
    torch.manual_seed(0)
    network = ResNet(Bottleneck, [1, 2, 1, 1], num_classes=18)
    network.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    stirred(network)
    torch.save(network.state_dict(), tmp_path / "pc-nih-rsna-siim-vin-resnet50-test512-e400-state.pt")
    network.fc = torch.nn.Identity()

    def reference(film: Film) -> np.ndarray:
        with torch.no_grad():
            return network(prepared(film))[0].numpy()

    encoder = opened(tmp_path)
    agree_on_films(encoder, reference)
    assert encoder.spec.dim == 2048


def test_sizes_are_the_releases_own(densenet: DenseNet, tmp_path: Path) -> None:
    torch.save(densenet.state_dict(), tmp_path / "a.pt")
    encoder = load("torchxrayvision", Checkpoint(tmp_path, "xrv", "test"))
    assert encoder.preprocess(films()[0]).shape == (224, 224)
    assert "centre-square-224" in encoder.spec.preprocessing and encoder.spec.text_space is None


def test_patches_average_to_the_films_vector(densenet: DenseNet, tmp_path: Path) -> None:
    torch.save(densenet.state_dict(), tmp_path / "a.pt")
    encoder = opened(tmp_path)
    assert encoder.encode_patches([encoder.preprocess(films()[0])]).grid.shape == (1, 2, 2, encoder.spec.dim)
    assert encoder.frame(300, 200).height == 200 and encoder.frame(300, 200).top == 50


class Unknown(torch.nn.Module):
    """Something of the publisher's that nobody here has heard of."""


class Evil:
    def __init__(self, at: Path) -> None:
        self.at = at

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.at,)


def unknown(at: Path, densenet: DenseNet) -> None:
    densenet.classifier = Unknown()
    torch.save(densenet, at)


def evil(at: Path, densenet: DenseNet) -> None:
    densenet.secret = Evil(at.parent / "touched")
    torch.save(densenet, at, _use_new_zipfile_serialization=False)


def only_evil(at: Path, _: DenseNet) -> None:
    at.write_bytes(pickle.dumps(Evil(at.parent / "touched"), protocol=2))


def cut(at: Path, densenet: DenseNet) -> None:
    torch.save(densenet, at, _use_new_zipfile_serialization=False)
    at.write_bytes(at.read_bytes()[:-64])


class Reaching:
    """A tensor that claims more numbers than its storage has."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.storage = tensor.data.storage()

    def __reduce__(self) -> tuple[object, ...]:
        return torch._utils._rebuild_tensor_v2, (self.storage, 0, (9_999_999,), (1,), False, OrderedDict())


def reaching(at: Path, densenet: DenseNet) -> None:
    densenet.features.norm0._parameters["bias"] = Reaching(densenet.features.norm0.bias)
    torch.save(densenet, at, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("write", [unknown, evil, only_evil, cut, reaching])
def test_what_is_not_a_known_network_is_refused_and_never_run(
    densenet: DenseNet, tmp_path: Path, write: Callable[[Path, DenseNet], None]
) -> None:
    write(tmp_path / "network.pt", densenet)
    with pytest.raises(HilumError, match="state_dict") as refused:
        opened(tmp_path)
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION
    assert str(tmp_path) not in str(refused.value)
    assert not (tmp_path / "touched").exists()


def test_a_missing_layer_and_a_second_file_are_refused(densenet: DenseNet, tmp_path: Path) -> None:
    tensors = densenet.state_dict()
    del tensors["features.denseblock2.denselayer2.norm1.weight"]
    torch.save(tensors, tmp_path / "a.pt")
    with pytest.raises(HilumError, match="1 missing"):
        opened(tmp_path)
    torch.save(tensors, tmp_path / "b.pt")
    with pytest.raises(HilumError, match="it holds 2"):
        opened(tmp_path)
