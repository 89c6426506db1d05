"""A rotation learned from films and reports of which nobody says which belong together.

It begins where films and reports stand alike among their own kind. A discriminator then learns to tell turned film
vectors from report vectors, and the rotation learns to mislead it (Conneau 2018; Hsu 2018 for films and reports). What
that finds is refined: nearest films and reports under CSLS are taken for pairs, a new rotation is fitted to them, and
again. Of several attempts the one whose neighbours are nearest is kept: no pair is looked at for that either. It needs
spaces of like shape; where films and reports vary in different things it finds little, or something that looks as good
and is wrong. Measure it on known pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.analytics.align.maps import Array, Map, frame, rotation, unit

ATTEMPTS = 2
STEPS = 1_500
AXES = 32  # of each space, at most: further ones are noise to a discriminator
NEAR = 10  # of CSLS
REFINE = 150  # rounds, at most
_MOST = 1_000  # films and reports that are compared all with all
_HIDDEN, _BATCH = 128, 64
_GAIN, _IDLE = 1e-4, 5  # what counts as gain, and rounds without
_PROFILE = np.linspace(0, 1, 50)
_LOOKS = 2  # at the discriminator's pupils for each step of the rotation


def adversarial(images: Array, texts: Array, seed: int) -> Map:
    """From the clouds alone. images: (N, P).  texts: (M, Q)."""
    rng = np.random.default_rng(seed)
    dim = min(AXES, images.shape[1], texts.shape[1], len(images) - 1, len(texts) - 1)
    of_images, of_texts = frame(images, dim), frame(texts, dim)
    x, y = of_images(images).astype(np.float32), of_texts(texts).astype(np.float32)
    best, turn = -np.inf, np.eye(dim)
    for _ in range(ATTEMPTS):
        some_x, some_y = (side[rng.permutation(len(side))[:_MOST]] for side in (x, y))
        tried = refine(some_x, some_y, mislead(x, y, alike(some_x, some_y), rng), rng)
        found = nearness(some_x @ tried, some_y)
        if found > best:
            best, turn = found, tried
    return Map("adversarial", of_images.then(turn), of_texts.then(np.eye(dim)), {"nearness": float(best)})


def mislead(x: Array, y: Array, turn: Array, rng: np.random.Generator, steps: int = STEPS) -> NDArray[np.float64]:
    """The rotation after `steps` of the game; kept near orthogonal by Conneau's rule."""
    x, y, turn = (np.asarray(a, np.float32) for a in (x, y, turn))  # half the time, and noise is no harm here
    judge = _Judge(x.shape[1], rng)
    rate = np.float32(0.1)
    for step in range(steps):
        for _ in range(_LOOKS):
            a, b = x[rng.integers(len(x), size=_BATCH)] @ turn, y[rng.integers(len(y), size=_BATCH)]
            judge.learn(np.concatenate([a, b]), rate)
        part = x[rng.integers(len(x), size=_BATCH)]
        turn = turn - rate * part.T @ judge.towards_texts(part @ turn)
        turn = 1.01 * turn - 0.01 * turn @ turn.T @ turn
        if step % 100 == 99:
            rate *= np.float32(0.9)
    left, _, right = np.linalg.svd(turn.astype(np.float64))
    return left @ right


def refine(x: Array, y: Array, turn: Array, rng: np.random.Generator) -> Array:
    """Procrustes on the nearest of every film and of every report (cyclic), again and again; the nearest rotation seen.

    At first most candidates are hidden at random, so that a mistake is not what the next mistake is learned from; ever
    more are shown as nothing is gained (Artetxe 2018).
    """
    turn = np.asarray(turn, np.float32)
    best, kept, shown, idle = nearness(x @ turn, y), turn, 0.1, 0
    for _ in range(REFINE):
        scores = csls(x @ turn, y)
        if shown < 1:
            scores = np.where(rng.random(scores.shape, np.float32) < shown, scores, np.float32(-9))
        turn = rotation(*_nearest(scores, x, y)).astype(np.float32)
        found, idle = nearness(x @ turn, y), idle + 1
        if found > best + _GAIN:
            best, kept, idle = found, turn, 0
        if idle == _IDLE:
            if shown >= 1:
                break
            shown, idle = min(1.0, 2 * shown), 0
    return kept


def csls(x: Array, y: Array, near: int = NEAR) -> Array:
    """(N, M): twice the cosine, less how crowded either neighbourhood is (Conneau 2018): no row is near everything."""
    scores = x @ y.T
    near = min(near, *scores.shape)
    of_x = np.partition(scores, -near, axis=1)[:, -near:].mean(1)
    of_y = np.partition(scores, -near, axis=0)[-near:].mean(0)
    return 2 * scores - of_x[:, None] - of_y[None]


def nearness(x: Array, y: Array) -> float:
    """Mean CSLS of every row's best, both ways: what tells a good rotation without a pair."""
    scores = csls(x, y)
    return float(scores.max(1).mean() + scores.max(0).mean())


def alike(x: Array, y: Array) -> NDArray[np.float64]:
    """Where to begin: the rotation between films and reports that stand alike among their own kind (Artetxe 2018). How
    near a row is to the others, from the farthest to the nearest, does not change when all are turned."""
    films, reports = (unit(p - p.mean(0)) for p in (np.quantile(side @ side.T, _PROFILE, axis=1).T for side in (x, y)))
    return rotation(*_nearest(csls(films, reports), x, y))


def _nearest(scores: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Every row of `x` with its best, and every row of `y` with its own: cyclic, so neither side is a mere target."""
    return np.concatenate([x, x[scores.argmax(0)]]), np.concatenate([y[scores.argmax(1)], y])


class _Judge:
    """Is it a turned film (0) or a report (1)? Two layers, leaky, with targets smoothed and inputs dropped out."""

    def __init__(self, dim: int, rng: np.random.Generator) -> None:
        self._rng, self._scale = rng, np.float32(np.sqrt(dim))

        def drawn(*shape: int) -> NDArray[np.float32]:
            return rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / shape[0]))

        self._a, self._b = drawn(dim, _HIDDEN), np.zeros(_HIDDEN, np.float32)
        self._c, self._d = drawn(_HIDDEN, _HIDDEN), np.zeros(_HIDDEN, np.float32)
        self._e, self._f = drawn(_HIDDEN), np.float32(0)

    def learn(self, both: Array, rate: float) -> None:
        """One step of gradient descent; the first half of `both` are films."""
        n = len(both)
        inputs = both * self._scale * (self._rng.random(both.shape, np.float32) > 0.1) / np.float32(0.9)
        one, two, said = self._forward(inputs)
        wanted = np.where(np.arange(n) < n // 2, 0.1, 0.9).astype(np.float32)
        d_said = (said - wanted) / n
        d_two = np.outer(d_said, self._e) * _slope(two)
        d_one = d_two @ self._c.T * _slope(one)
        self._e -= rate * two.T @ d_said
        self._f -= rate * d_said.sum()
        self._c -= rate * one.T @ d_two
        self._d -= rate * d_two.sum(0)
        self._a -= rate * inputs.T @ d_one
        self._b -= rate * d_one.sum(0)

    def towards_texts(self, films: Array) -> NDArray[np.float64]:
        """The gradient, by turned film vectors, of how surely they are not taken for reports."""
        one, two, said = self._forward(films * self._scale)
        d_two = np.outer((said - 0.9) / len(films), self._e) * _slope(two)
        gradient: NDArray[np.float64] = d_two @ self._c.T * _slope(one) @ self._a.T * self._scale
        return gradient

    def _forward(self, inputs: Array) -> tuple[Array, Array, Array]:
        one = _leaky(inputs @ self._a + self._b)
        two = _leaky(one @ self._c + self._d)
        return one, two, 1 / (1 + np.exp(-np.clip(two @ self._e + self._f, -30, 30)))


def _leaky(values: Array) -> Array:
    return np.maximum(values, values * np.float32(0.2))


def _slope(values: Array) -> Array:
    return np.where(values > 0, np.float32(1), np.float32(0.2))
