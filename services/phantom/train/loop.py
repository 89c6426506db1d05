"""What both trainings share: the learning-rate curve, averaged weights, progress, and resuming."""

import copy
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn


def learning_rate(step: int, steps: int, peak: float, warm: int = 100) -> float:
    """Linear warm-up, then a cosine down to nothing."""
    if step < warm:
        return peak * (step + 1) / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1)))


class Average:
    """Exponential moving average of a module, buffers included: better weights than the last step's."""

    def __init__(self, module: nn.Module, decay: float = 0.995):
        self.module, self.decay, self.seen = copy.deepcopy(module).eval().requires_grad_(False), decay, 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.seen += 1
        keep = min(self.decay, self.seen / (self.seen + 10))
        for mine, new in zip(self.module.state_dict().values(), module.state_dict().values(), strict=True):
            if mine.dtype.is_floating_point:
                mine.lerp_(new, 1 - keep)
            else:
                mine.copy_(new)


def batches(n: int, size: int, epoch: int, seed: int) -> Iterator[torch.Tensor]:
    """Row numbers in an order that depends on the epoch and the seed alone; the odd rest is left for another epoch."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed * 1009 + epoch))
    for start in range(0, n - size + 1, size):
        yield order[start : start + size]


class Progress:
    """One line on stderr every ten seconds: step, smoothed loss, time left."""

    def __init__(self, steps: int, done: int):
        self.steps, self.first, self.start, self.shown, self.loss = steps, done, time.monotonic(), 0.0, float("nan")

    def __call__(self, step: int, loss: float) -> None:
        self.loss = loss if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * loss
        now = time.monotonic()
        if now - self.shown < 10 and step < self.steps:
            return
        self.shown = now
        left = (now - self.start) / max(step - self.first, 1) * (self.steps - step)
        print(f"step {step}/{self.steps}  loss {self.loss:.4f}  {left / 60:.1f} min left", file=sys.stderr, flush=True)


def save_state(path: Path, **parts: object) -> None:
    """Write what resuming needs, whole or not at all."""
    draft = path.with_suffix(".part")
    torch.save(parts, draft)
    draft.replace(path)


def load_state(path: Path) -> dict | None:
    """What ``save_state`` wrote, or None; tensors and numbers only."""
    return torch.load(path, weights_only=True) if path.exists() else None
