"""Weights out of a pickled network, with none of its code.

A pickle can make only what its reader finds for the names in it. This one finds plain containers, records of tensors,
and, for the classes that a known publisher's files name, `Inert`, which keeps its state and does nothing. Whatever else
a file names is refused before anything is made of it. Torch's own weights-only reader admits no networks in the format
that torch wrote before 1.6, in which torchxrayvision's are published.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch

from services.encoders.checkpoint import UNREADABLE, broken, tensors_of

MODULES = tuple(f"torch.nn.modules.{name}" for name in (
    "activation.ReLU", "activation.Sigmoid", "batchnorm.BatchNorm2d", "container.ModuleList", "container.Sequential",
    "conv.Conv2d", "dropout.Dropout", "linear.Identity", "linear.Linear", "pooling.AdaptiveAvgPool2d",
    "pooling.AvgPool2d", "pooling.MaxPool2d",
))  # fmt: skip
OLD_TORCH = ("torch.nn.backends.thnn._get_thnn_function_backend",)  # of networks pickled before torch 1.4
DTYPES = {"Float": torch.float32, "Double": torch.float64, "Half": torch.float16, "BFloat16": torch.bfloat16,
          "Long": torch.int64, "Int": torch.int32, "Byte": torch.uint8, "Bool": torch.bool}  # fmt: skip
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of torch's format before 1.6

Read = Callable[[str, int], bytes]


class Inert:
    """Stands for a class of the file: takes whatever it is called with, keeps what state it is given."""

    def __new__(cls, *_: Any) -> Inert:
        return object.__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Reader(pickle.Unpickler):
    def __init__(self, file: IO[bytes], classes: Iterable[str]) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

        def tensor(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> _Tensor:
            return _Tensor(storage, offset, tuple(size), tuple(stride))

        def parameter(data: _Tensor, *_: Any) -> _Tensor:
            return data

        # Made anew for each file: a pickle may set attributes of what it finds.
        inert = type("Inert", (Inert,), {})
        self._found: Mapping[str, Any] = {
            **dict.fromkeys((*MODULES, *OLD_TORCH, *classes), inert),
            **{f"torch.{name}Storage": dtype for name, dtype in DTYPES.items()},
            **dict.fromkeys(("builtins.set", "__builtin__.set"), set),
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor": tensor,
            "torch._utils._rebuild_tensor_v2": tensor,
            "torch._utils._rebuild_parameter": parameter,
        }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._found[f"{module}.{name}"]
        except KeyError:
            raise pickle.UnpicklingError("a name that is not on the list") from None

    def persistent_load(self, pid: Any) -> Any:
        kind, *rest = pid
        if kind == "module":  # a class with its source text, which is of no use
            return rest[0]
        dtype, key, _, count, *view = rest
        if kind != "storage" or any(part is not None for part in view):
            raise pickle.UnpicklingError("a record of another kind than a whole storage")
        return self.storages.setdefault(str(key), _Storage(str(key), dtype, int(count)))


def read_network(path: Path, classes: Iterable[str]) -> dict[str, torch.Tensor]:
    """The tensors of a weight file in torch's format, a pickled network's included, named as in its ``state_dict``.

    classes: full names of the publisher's own classes. Raises FAILED_PRECONDITION for any other that the file names.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE:
        content = None
    if content is not None:
        return tensors_of(content)
    try:
        with path.open("rb") as file:
            network, read = _zipped(file, classes) if zipfile.is_zipfile(file) else _old(file, classes)
            return {name: _filled(tensor, read) for name, tensor in _tensors(network, "").items()}
    except (*UNREADABLE, zipfile.BadZipFile, RecursionError) as error:
        raise broken("the checkpoint's weights are damaged, or name code that is not known here, and none is run; "
                     "save the network's state_dict() where it was made, and add that") from error  # fmt: skip


def _zipped(file: IO[bytes], classes: Iterable[str]) -> tuple[Any, Read]:
    archive = zipfile.ZipFile(file)
    (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
    network = _Reader(io.BytesIO(archive.read(pickled)), classes).load()
    folder = pickled.removesuffix("data.pkl") + "data/"
    return network, lambda key, _: archive.read(folder + key)


def _old(file: IO[bytes], classes: Iterable[str]) -> tuple[Any, Read]:
    file.seek(0)
    if (_Reader(file, ()).load(), _Reader(file, ()).load()) != (MAGIC, PROTOCOL):
        raise pickle.UnpicklingError("not torch's format")
    _Reader(file, ()).load()  # of the machine that wrote it
    reader = _Reader(file, classes)
    network = reader.load()
    places: dict[str, int] = {}
    for key in map(str, _Reader(file, ()).load()):
        file.seek(8, io.SEEK_CUR)  # how many numbers follow, which the pickle has said
        places[key] = file.tell()
        file.seek(_bytes(reader.storages[key]), io.SEEK_CUR)

    def read(key: str, size: int) -> bytes:
        file.seek(places[key])
        return file.read(size)

    return network, read


def _tensors(module: Inert, prefix: str) -> dict[str, _Tensor]:
    state = module.__dict__
    own = {**state["_parameters"], **state["_buffers"]}
    out = {prefix + name: value for name, value in own.items() if isinstance(value, _Tensor)}
    for name, child in state["_modules"].items():
        if child is not None:
            out |= _tensors(child, f"{prefix}{name}.")
    return out


def _filled(tensor: _Tensor, read: Read) -> torch.Tensor:
    storage = tensor.storage
    content = read(storage.key, _bytes(storage))
    if len(content) != _bytes(storage):
        raise ValueError("the file ends too early")
    numbers = torch.frombuffer(bytearray(content), dtype=storage.dtype) if content else torch.empty(0)
    return numbers.as_strided(tensor.size, tensor.stride, tensor.offset).clone()


def _bytes(storage: _Storage) -> int:
    return storage.count * storage.dtype.itemsize
