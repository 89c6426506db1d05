"""Running a network over a batch: no gradients, bounded memory, copies beside computing, one place to set threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

# isort: off
import services.encoders.offline  # noqa: F401
# isort: on

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from services.encoders.device import release
from services.encoders.rows import Rows, Run, Tensors, is_out_of_memory

CPU = torch.device("cpu")
T = TypeVar("T")


def set_threads(count: int) -> None:
    """Threads of one forward pass, for the whole process; 0 leaves torch's own choice, within what a container may use.

    torch counts the machine's cores. Sixteen threads on a quota of two are stopped for most of each period.
    """
    allowed = quota()
    if count > 0:
        torch.set_num_threads(count)
    elif allowed and allowed < torch.get_num_threads():
        torch.set_num_threads(allowed)


def quota(group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Cores that the control group grants, rounded up; None where it sets no bound or cannot be read."""
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):  # version 2, version 1
        try:
            granted, period = (int(n) for n in " ".join((group / file).read_text() for file in files).split())
        except (OSError, ValueError):  # not there, or "max"
            continue
        if granted > 0 and period > 0:
            return -(-granted // period)
    return None


def forward(network: Run, inputs: Tensors, device: torch.device = CPU, rows: Rows | None = None) -> NDArray[np.float32]:
    """Tensors of N rows each, in main memory, to unit vectors ``(N, ..., D) float32``.

    So many rows at a time as `rows` says, half as many wherever memory runs out. Raises MemoryError when there is not
    enough for one.
    """
    rows = rows or Rows(network, device)
    count, done = len(next(iter(inputs.values()))), 0
    at_once = rows.fit(inputs)
    out: list[torch.Tensor] = []
    with torch.inference_mode():
        while done < count:
            rest = {name: values[done:] for name, values in inputs.items()}
            try:
                for part in _on(device, rest, at_once):
                    out.append(normalize(network(part).float(), dim=-1))
                    done += len(out[-1])
                continue
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if at_once == 1:
                    raise MemoryError("one film or text is too much for this device's memory") from error
            # Outside the handler: the error holds on to what the pass had taken.
            release(device)
            at_once = rows.halved(inputs, at_once)
        return torch.cat(out).cpu().numpy()


def _on(device: torch.device, inputs: Tensors, at_once: int) -> Iterator[Tensors]:
    """The inputs on the device, `at_once` rows at a time; on CUDA the next part is copied while one is computed."""
    count = len(next(iter(inputs.values())))
    parts = (
        {name: values[start : start + at_once] for name, values in inputs.items()} for start in range(0, count, at_once)
    )
    if device.type == "cuda":
        yield from _streamed(parts, device)
    else:
        yield from ({name: values.to(device) for name, values in part.items()} for part in parts)


def _streamed(parts: Iterator[Tensors], device: torch.device) -> Iterator[Tensors]:
    computing, copying = torch.cuda.current_stream(device), torch.cuda.Stream(device)

    def copied(part: Tensors) -> tuple[Tensors, torch.cuda.Event]:
        with torch.cuda.stream(copying):
            there = {name: values.pin_memory().to(device, non_blocking=True) for name, values in part.items()}
            return there, copying.record_event()

    for part, arrived in one_ahead(map(copied, parts)):
        computing.wait_event(arrived)
        for values in part.values():
            values.record_stream(computing)  # its memory is not reused before the kernels are done
        yield part


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items, each only once the next has been begun."""
    rest = iter(items)
    ready = list(islice(rest, 1))
    while ready:
        following = list(islice(rest, 1))
        yield ready[0]
        ready = following


set_threads(0)
