"""torchxrayvision's classifiers as encoders: what their last linear layer reads; films only.

DenseNet-121 at 224 pixels (``features2``, 1024 numbers) and ResNet-50 at 512 (2048 numbers), from the files of the
library's own releases. Those of the DenseNets are pickled networks: their tensors are taken and no code is run. The
library is not needed. The vectors were trained to tell 18 findings apart, not to tell films apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# isort: off
import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
# isort: on

import torch
from torchvision.models import DenseNet, ResNet
from torchvision.models.resnet import Bottleneck

from services.encoders.checkpoint import broken, fill, read_tensors, sole_file
from services.encoders.fits import CentreSquareSmooth
from services.encoders.inert import read_network
from services.encoders.network import Checkpoint, Network, TorchEncoder
from services.encoders.preprocess import Levels, Recipe

CLASSES = tuple(
    f"{module}.{name}"
    for module in ("torchxrayvision.models", "torchvision.models.densenet")
    for name in ("DenseNet", "_DenseBlock", "_DenseLayer", "_Transition")
)
MEAN, STD = (0.5,), (1 / 2048,)  # 0–255 to -1024–1024
UNUSED = ("classifier.", "fc.", "op_threshs")
SIZES = {DenseNet: 224, ResNet: 512}


def load(at: Checkpoint) -> TorchEncoder:
    """Options: ``size`` of the square, where it is not 224 (DenseNet) or 512 (ResNet); ``levels``, ``display``
    (default) or ``full``. Raises FAILED_PRECONDITION for an unfit folder."""
    path = sole_file(at.folder, ".pt", ".pth", ".safetensors")
    tensors = read_tensors(path) if path.suffix == ".safetensors" else read_network(path, CLASSES)
    tensors = {name.removeprefix("model."): value for name, value in tensors.items()}
    tensors = {name: value for name, value in tensors.items() if not name.startswith(UNUSED)}
    network, maps, dim = _network(tensors)
    fill(network, tensors)
    size = int(at.options.get("size", SIZES[type(network)]))
    levels = Levels(at.option("levels", "display", "full"))

    def places(pixels: torch.Tensor) -> torch.Tensor:
        return maps(pixels.contiguous(memory_format=torch.channels_last)).permute(0, 2, 3, 1)

    return TorchEncoder(at, Network(
        module=network.to(memory_format=torch.channels_last),
        weights=[path],
        recipe=Recipe(levels, CentreSquareSmooth(size), MEAN, STD),
        image=lambda pixels: places(pixels).mean((1, 2)),
        pooling="average-of-last-map",
        dim=dim,
        patches=places,
    ))  # fmt: skip


def _network(tensors: Mapping[str, torch.Tensor]) -> tuple[torch.nn.Module, torch.nn.Module, int]:
    """An empty network of the shape the tensors tell, its part up to the last map, and that map's channels."""
    try:
        if "features.conv0.weight" in tensors:
            return _densenet(tensors)
        if "layer4.0.conv3.weight" in tensors:
            return _resnet(tensors)
    except KeyError as error:
        raise broken("the checkpoint lacks tensors of its network; fetch it again") from error
    raise broken("the checkpoint is neither a DenseNet nor a ResNet-50 of torchxrayvision")


def _densenet(tensors: Mapping[str, torch.Tensor]) -> tuple[torch.nn.Module, torch.nn.Module, int]:
    bottleneck, growth = (tensors[f"features.denseblock1.denselayer1.conv{n}.weight"].shape[0] for n in (1, 2))
    network = DenseNet(
        growth_rate=growth,
        block_config=tuple(_counts(tensors, r"features\.denseblock(\d+)\.denselayer(\d+)\.conv1\.weight", 0)),
        num_init_features=tensors["features.conv0.weight"].shape[0],
        bn_size=bottleneck // growth,
    )
    network.features.conv0 = _first(network.features.conv0, tensors["features.conv0.weight"])
    network.classifier = torch.nn.Identity()
    return network, torch.nn.Sequential(network.features, torch.nn.ReLU()), network.features.norm5.num_features


def _resnet(tensors: Mapping[str, torch.Tensor]) -> tuple[torch.nn.Module, torch.nn.Module, int]:
    network = ResNet(Bottleneck, _counts(tensors, r"layer(\d+)\.(\d+)\.conv1\.weight", 1))
    network.conv1 = _first(network.conv1, tensors["conv1.weight"])
    network.fc = torch.nn.Identity()
    return network, torch.nn.Sequential(*list(network.children())[:-2]), network.inplanes


def _counts(tensors: Mapping[str, torch.Tensor], layer: str, base: int) -> list[int]:
    """How many layers each block has. base: the number of the first layer of a block."""
    found = [match for name in tensors if (match := re.fullmatch(layer, name))]
    blocks = max(int(match[1]) for match in found)
    return [max((int(match[2]) + base for match in found if int(match[1]) == block), default=0)
            for block in range(1, blocks + 1)]  # fmt: skip


def _first(conv: torch.nn.Conv2d, weight: torch.Tensor) -> torch.nn.Conv2d:
    """The first convolution, for films of one channel."""
    return torch.nn.Conv2d(weight.shape[1], conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=False)
