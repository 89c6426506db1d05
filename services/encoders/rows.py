"""How many films or texts go through a network at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from services.core.logs import get_logger
from services.encoders.device import free_memory

log = get_logger("encoders")

Tensors = Mapping[str, torch.Tensor]
Run = Callable[[Tensors], torch.Tensor]
MOST = {"cpu": 32, "cuda": 256, "mps": 32}  # beyond this nothing is gained
UNMEASURED = 8
CACHED = 32 * 2**20  # bytes: what a processor's cache holds; a batch that leaves it ran up to 1.5 times slower


class Rows:
    """The batch size of one network on one device, found when first needed, and halved for good when memory runs out.

    It is what fits the activations of one row, measured, into the processor's cache or half of an accelerator's free
    memory. Safe between threads.
    """

    def __init__(self, network: Run, device: torch.device) -> None:
        self._network, self._device = network, device
        self._fit: dict[tuple[object, ...], int] = {}

    def fit(self, inputs: Tensors) -> int:
        """Rows per pass for inputs of this shape: 1 or more."""
        count = len(next(iter(inputs.values())))
        if count <= 1:
            return 1
        key = _key(inputs)
        if key not in self._fit:
            self._fit[key] = self._measured({name: rows[:1].to(self._device) for name, rows in inputs.items()})
        return min(self._fit[key], count)

    def _measured(self, one: Tensors) -> int:
        try:
            each = activation_bytes(self._network, one)
        except Exception as error:  # the pass itself will say what is wrong, if anything is
            log.warning("encoder.unmeasured", error_type=type(error).__name__)
            return 1 if is_out_of_memory(error) else UNMEASURED
        room = CACHED if self._device.type == "cpu" else free_memory(self._device) // 2
        return min(max(room // max(each, 1), 1), MOST[self._device.type])

    def halved(self, inputs: Tensors, tried: int) -> int:
        """Remember that `tried` rows were too many; how many to try next."""
        fewer = max(tried // 2, 1)
        log.warning("encoder.halved", count=tried)
        self._fit[_key(inputs)] = fewer
        return fewer


def activation_bytes(network: Run, inputs: Tensors) -> int:
    """The most memory that results of one pass hold at a time, by watching every operation of it."""
    with torch.inference_mode(), _Peak() as peak:
        network(inputs)
    return peak.most


def is_out_of_memory(error: BaseException) -> bool:
    """Whatever library says it: torch on any device, ONNX Runtime, OpenVINO, or Python."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        sign in text for sign in ("out of memory", "can't allocate memory", "failed to allocate", "bad allocation")
    )


class _Peak(TorchDispatchMode):
    """Counts the bytes of living results. What shares storage with an argument, as views of weights do, is not new."""

    def __init__(self) -> None:
        super().__init__()
        self._living: dict[int, tuple[StorageWeakRef, int]] = {}
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {storage._cdata for storage in _storages((args, kwargs))}
        for storage in _storages(result):
            if storage._cdata not in given:
                self._living[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self._living = {key: held for key, held in self._living.items() if not held[0].expired()}
        self.most = max(self.most, sum(size for _, size in self._living.values()))
        return result


def _storages(values: Any) -> list[torch.UntypedStorage]:
    tensors = (value for value in tree_leaves(values) if isinstance(value, torch.Tensor))
    return [tensor.untyped_storage() for tensor in tensors if tensor.layout is torch.strided]  # others have none


def _key(inputs: Tensors) -> tuple[object, ...]:
    return tuple((name, tuple(rows.shape[1:])) for name, rows in sorted(inputs.items()))
