"""Which path is fastest here and still gives the vectors of plain float32: measured, kept, and checked when used.

A choice holds for one encoder on one machine with one set of libraries; with any of them changed it counts for nothing.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from services.core.errors import HilumError
from services.core.models import ModelSpec
from services.encoders.base import Prepared
from services.encoders.device import describe
from services.encoders.network import TorchEncoder
from services.encoders.paths import EAGER, take

MIN_COSINE = 0.999
MIN_GAIN = 1.05  # less is not worth other numerics
LONGEST = 4.0  # seconds of eager float32 that a path is timed against, once a round
BATCH = 32  # films in a round at most, as many as an ingest encodes together
_LIBRARIES = ("torch", "transformers", "timm", "open_clip_torch", "onnxruntime", "openvino")


@dataclass(frozen=True, slots=True)
class Measured:
    """gain: times as fast as eager float32, median of rounds in turn.  cosine: the least of any film with its vector by
    eager float32.  why_not: what kept it from being measured."""

    path: str
    films_per_second: float = 0.0
    gain: float = 0.0
    cosine: float = 0.0
    why_not: str = ""

    @property
    def usable(self) -> bool:
        return not self.why_not and self.cosine >= MIN_COSINE


def measure(
    load: Callable[[], TorchEncoder], device: torch.device, paths: Sequence[str], films: Sequence[Prepared],
    rounds: int = 5,
) -> Iterator[Measured]:  # fmt: skip
    """Each path against eager float32 on the same films, in turn, so that what else the machine does hits both.

    load: a fresh encoder each time, as paths change the networks that they are built on.
    """
    plain = load()
    plain.move(device)
    wanted = vectors(plain, films)
    each = _seconds(plain, films) / len(films)
    count = min(max(int(LONGEST / each), 2), BATCH)
    timed = [films[i % len(films)] for i in range(count)]
    yield Measured(EAGER, 1 / each, 1.0, 1.0)
    for path in paths:
        try:
            fast = load()
            fast.move(device)
            take(fast, path)
            cosine = least_cosine(vectors(fast, films), wanted)
            times = [(_seconds(plain, timed), _seconds(fast, timed)) for _ in range(rounds)]
        except HilumError as error:
            yield Measured(path, why_not=error.client_message)
        except Exception as error:  # a library's own way of saying that it cannot have this network
            yield Measured(path, why_not=f"it cannot run this network ({type(error).__name__})")
        else:
            gain = statistics.median(eager / quick for eager, quick in times)
            yield Measured(path, len(timed) / statistics.median(quick for _, quick in times), gain, cosine)
        fast = None  # type: ignore[assignment] - its memory, before the next is loaded
        gc.collect()


def choose(measured: Sequence[Measured]) -> Measured:
    """The fastest usable path; eager where none gains enough."""
    worth = [m for m in measured if m.usable and (m.path == EAGER or m.gain >= MIN_GAIN)]
    return max(worth, key=lambda m: m.gain)


def vectors(encoder: TorchEncoder, films: Sequence[Prepared]) -> list[np.ndarray]:
    """What must not change: the films' vectors and, as paths may change layers, two films' local ones."""
    local = [encoder.encode_patches(films[:2]).grid] if encoder.network.patches else []
    return [encoder.encode_images(films), *local]


def least_cosine(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """Of unit vectors, pair by pair; -1 where one is not finite."""
    cosines = [(f.astype(np.float64) * w).sum(-1).min() for f, w in zip(found, wanted, strict=True)]
    return float(min(cosines)) if np.isfinite(cosines).all() else -1.0


def here(spec: ModelSpec, device: torch.device) -> dict[str, str]:
    """What a choice holds for."""
    return {"fingerprint": spec.fingerprint, "device": describe(device)} | {
        name: found for name in _LIBRARIES if (found := _version(name))
    }


def keep(folder: Path, name: str, where: Mapping[str, str], chosen: Measured) -> None:
    """Remember the choice, beside those for other machines that share the folder."""
    others = [entry for entry in _entries(folder, name) if entry["here"] != where]
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.json.part"
    part.write_text(json.dumps([*others, {"here": dict(where), "chosen": asdict(chosen)}], indent=1), encoding="utf-8")
    part.replace(folder / f"{name}.json")


def kept(folder: Path, name: str, where: Mapping[str, str]) -> str | None:
    """The path chosen for exactly this, or None."""
    return next((str(e["chosen"]["path"]) for e in _entries(folder, name) if e["here"] == where), None)


def _entries(folder: Path, name: str) -> list[dict]:
    try:
        found = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        return [entry for entry in found if entry["here"] and isinstance(entry["chosen"]["path"], str)]
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or not ours: tuning writes it anew
        return []


def _seconds(encoder: TorchEncoder, films: Sequence[Prepared]) -> float:
    started = time.perf_counter()
    encoder.encode_images(films)
    return time.perf_counter() - started


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
