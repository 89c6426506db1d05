"""Teach what tells a lateral film from a frontal one, by the bundled encoder's vectors of phantoms.

    python -m services.phantom.train.view OUT.json

A logistic regression with a Gaussian prior, fitted by Newton's method. The threshold is not learnt: it is chosen so
that none of 898 real frontal films was called lateral, for the encoder has seen no patient and does not know them
well: at 0.98 it calls six of them so. There was no real lateral film to look at.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.core.types import Film
from services.encoders.base import Encoder
from services.encoders.bundled import DINO
from services.encoders.registry import Registry
from services.phantom.film import display, render
from services.phantom.population import population

FILMS, SEED, SIDE = 400, 41, 224
THRESHOLD = 0.993
_PRIOR = 0.1
_BATCH = 16


def vectors(encoder: Encoder, count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N, D) vectors of phantom films, and which of them are lateral."""
    films = [film for study in population(count, seed) for film in study.films]
    found = []
    for start in range(0, len(films), _BATCH):
        shown = [np.asarray(display(render(film, SIDE))).astype(np.uint8) for film in films[start : start + _BATCH]]
        ready = [encoder.preprocess(Film(one, one.astype(np.uint16) * np.uint16(257))) for one in shown]
        found.append(encoder.encode_images(np.stack(ready)))
    return np.concatenate(found).astype(np.float64), np.array([film.view == "LATERAL" for film in films])


def fit(x: NDArray[np.float64], lateral: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Weights and bias; both classes count alike."""
    x = np.hstack([x, np.ones((len(x), 1))])
    y, share = lateral.astype(np.float64), lateral.mean()
    weight = np.where(lateral, 0.5 / share, 0.5 / (1 - share))
    prior = np.diag([*[_PRIOR] * (x.shape[1] - 1), 0.0])
    w = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ w))
        step = np.linalg.solve(
            (x * (weight * p * (1 - p))[:, None]).T @ x + prior, x.T @ (weight * (p - y)) + prior @ w
        )
        w -= step
        if np.abs(step).max() < 1e-9:
            break
    return w[:-1], float(w[-1])


def main() -> None:
    """Write OUT.json."""
    with Registry.bundled(1).lease(DINO) as encoder:
        weights, bias = fit(*vectors(encoder, FILMS, SEED))
        x, lateral = vectors(encoder, FILMS // 2, SEED + 1)
        p = 1 / (1 + np.exp(-(x @ weights + bias)))
        called = p >= THRESHOLD
        print(f"held out: {lateral.sum()} lateral, {called[lateral].sum()} called so; "
              f"{(~lateral).sum()} frontal, {called[~lateral].sum()} called lateral")  # fmt: skip
        told = {
            "fingerprint": encoder.spec.fingerprint, "threshold": THRESHOLD, "bias": round(bias, 6),
            "weights": [round(float(w), 6) for w in weights],
        }  # fmt: skip
    Path(sys.argv[1]).write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
