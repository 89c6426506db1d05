"""Where networks run, and what machine that is."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from services.core.errors import ErrorCode, HilumError, invalid


def choose(name: str = "auto") -> torch.device:
    """``auto`` (an NVIDIA or AMD accelerator where torch sees one, else the processor), ``cpu``, ``cuda``, ``cuda:N``
    or ``mps``. Raises INVALID_ARGUMENT for another name, FAILED_PRECONDITION for a device that is not here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        known = device.type in ("cpu", "cuda", "mps")
    except RuntimeError:
        known = False
    if not known:
        raise invalid("HILUM_DEVICE is auto, cpu, cuda, cuda:N or mps")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"torch sees {torch.cuda.device_count()} accelerators here, and not this one; set HILUM_DEVICE=cpu, "
            "or install a torch built for it",
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "there is no mps device here; set HILUM_DEVICE=cpu")
    return device


def describe(device: torch.device) -> str:
    """The machine that a measurement holds for: ``AMD EPYC, AVX2, 2 threads`` or ``NVIDIA H200``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"{platform.machine()} mps"
    return f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"


def free_memory(device: torch.device) -> int:
    """Bytes that a pass on an accelerator could take now: free ones, and those that torch keeps for reuse."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    if device.type == "mps":
        return max(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory(), 0)
    raise ValueError("the processor's memory is not an accelerator's")


def release(device: torch.device) -> None:
    """Give back what torch keeps for reuse."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
