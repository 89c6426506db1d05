"""Two linear heads learned with InfoNCE, as CLIP learns its own: a film is to find its report among the others of its
batch, and a report its film (van den Oord 2018, Radford 2021). Plain numpy; gradients written out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.analytics.align.maps import Array, Map, unit
from services.analytics.align.ridge import folds, ridge
from services.core.affine import Affine

BATCH = 256
EPOCHS = 60
PATIENCE = 8  # epochs without gain on left-out patients
RATE = 1e-3
DECAY = 1e-2
_HELD = 6  # one patient in so many says when to stop


def contrastive(images: Array, texts: Array, pairs: NDArray[np.int64], patients: NDArray[np.integer], seed: int) -> Map:
    """Heads that begin as ridge regression's and are changed for as long as left-out patients gain.

    A batch has each report once: two films of a study would be each other's mistake.
    """
    rng = np.random.default_rng(seed)
    held = folds(patients, _HELD, seed) == 0
    if held.all() or not held.any():  # too few patients to leave some out
        return ridge(images, texts, pairs, patients, seed)
    start = ridge(images, texts, pairs[~held], patients[~held], seed)
    heads = [np.array(a, np.float64) for side in (start.of_images, start.of_texts) for a in (side.weight, side.bias)]
    state = _Adam([*heads, np.array(np.log(20.0))])
    x, y, reports = images[pairs[:, 0]], texts[pairs[:, 1]], pairs[:, 1]
    learn, watch = np.flatnonzero(~held), _once(np.flatnonzero(held), reports, rng)
    best, kept, since, at = _loss(state.values, x[watch], y[watch])[0], state.copy(), 0, 0
    for epoch in range(1, EPOCHS + 1):
        order = _once(learn, reports, rng)
        for part in np.array_split(order, max(1, round(len(order) / BATCH))):
            state.step(_loss(state.values, x[part], y[part])[1])
        now = _loss(state.values, x[watch], y[watch])[0]
        since += 1
        if now < best - 1e-4:
            best, kept, since, at = now, state.copy(), 0, epoch
        if since >= PATIENCE:
            break
    a, b, c, d = (value.astype(np.float32) for value in kept[:4])
    return Map("contrastive", Affine(a, b), Affine(c, d), {**start.settings, "epochs": at})


def _once(rows: NDArray[np.int64], reports: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """`rows` in random order, one for each report."""
    mixed = rng.permutation(rows)
    return rng.permutation(mixed[np.unique(reports[mixed], return_index=True)[1]])


def _loss(values: list[NDArray[np.float64]], x: Array, y: Array) -> tuple[float, list[NDArray[np.float64]]]:
    """Symmetric cross-entropy of cosines × scale, and its gradient by every value."""
    a, b, c, d, log_scale = values
    scale = np.exp(np.minimum(log_scale, np.log(100.0)))
    z, w = x @ a + b, y @ c + d
    u, v = unit(z), unit(w)
    logits = scale * u @ v.T
    rows, columns = _softmax(logits, 1), _softmax(logits, 0)
    n = len(x)
    right = np.arange(n)
    loss = -float(np.log(rows[right, right] * columns[right, right] + 1e-30).mean()) / 2
    off = (rows + columns) / (2 * n)
    off[right, right] -= 1 / n
    dz, dw = _through(off @ v * scale, u, z), _through(off.T @ u * scale, v, w)
    by_scale = np.array((off * logits).sum())
    return loss, [x.T @ dz, dz.sum(0), y.T @ dw, dw.sum(0), by_scale]


def _through(gradient: Array, direction: Array, raw: Array) -> NDArray[np.float64]:
    """The gradient before rows were brought to length 1."""
    along = (gradient * direction).sum(1, keepdims=True)
    return (gradient - along * direction) / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)


def _softmax(logits: Array, axis: int) -> NDArray[np.float64]:
    grown = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return grown / grown.sum(axis=axis, keepdims=True)


class _Adam:
    """Adam with decoupled decay of matrices (Kingma 2015, Loshchilov 2019)."""

    def __init__(self, values: list[NDArray[np.float64]], rate: float = RATE) -> None:
        self.values, self._rate, self._steps = values, rate, 0
        self._first = [np.zeros_like(value) for value in values]
        self._second = [np.zeros_like(value) for value in values]

    def copy(self) -> list[NDArray[np.float64]]:
        return [value.copy() for value in self.values]

    def step(self, gradients: list[NDArray[np.float64]]) -> None:
        self._steps += 1
        for place, g in enumerate(gradients):
            value, first, second = self.values[place], self._first[place], self._second[place]
            first[...] += 0.1 * (g - first)
            second[...] += 0.001 * (g * g - second)
            mean, square = first / (1 - 0.9**self._steps), second / (1 - 0.999**self._steps)
            decay = DECAY * value if value.ndim == 2 else 0.0
            value[...] -= self._rate * (mean / (np.sqrt(square) + 1e-8) + decay)
