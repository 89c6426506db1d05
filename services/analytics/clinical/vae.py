"""A small variational autoencoder (Kingma & Welling 2014) of patients: vectors' components and clinical variables in,
a few numbers out that are enough to draw both again.

    encoder  h = tanh(x W + b); mean and log variance of the latent, each linear in h
    decoder  h' = tanh(z W + b); x' linear in h'
    loss     for each patient, ½ (x − x')² / s² + ½ ln s² over the cells that were measured, + KL to N(0, I)

s², one noise for all cells, is learned (as σ-VAE, Rybkin et al. 2021), so that nothing has to be weighed by hand. Cells
that are unknown cost nothing: they do not have to be drawn again. By hand in numpy with Adam: at some ten columns and
thousands of patients that takes a second, and this room runs without torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Weights = dict[str, Numbers]

HIDDEN = 32
STEPS = 1_000
_BATCH, _RATE = 128, 3e-3
_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8  # Adam's


def start(columns: int, latent: int, hidden: int, random: np.random.Generator) -> Weights:
    """Fresh weights (Glorot & Bengio 2010)."""

    def dense(here: int, there: int) -> Numbers:
        return random.standard_normal((here, there)) * np.sqrt(2 / (here + there))

    return {
        "enter": dense(columns, hidden), "enter_b": np.zeros(hidden),
        "mean": dense(hidden, latent), "mean_b": np.zeros(latent),
        "spread": dense(hidden, latent) * 0.1, "spread_b": np.full(latent, -1.0),
        "leave": dense(latent, hidden), "leave_b": np.zeros(hidden),
        "draw": dense(hidden, columns), "draw_b": np.zeros(columns),
        "noise": np.zeros(1),
    }  # fmt: skip


def loss(
    weights: Weights, x: Numbers, seen: NDArray[np.bool_], chance: Numbers, pull: float = 1.0
) -> tuple[float, Weights]:
    """The loss, mean over (n, F) patients, and its slope in every weight.

    seen: (n, F) cells that were measured.  chance: (n, L) standard normal numbers.  pull: weight of the KL.
    """
    w, n = weights, len(x)
    inside = np.tanh(x @ w["enter"] + w["enter_b"])
    mean, spread = inside @ w["mean"] + w["mean_b"], inside @ w["spread"] + w["spread_b"]
    sd = np.exp(spread / 2)
    z = mean + sd * chance
    outside = np.tanh(z @ w["leave"] + w["leave_b"])
    missed = np.where(seen, outside @ w["draw"] + w["draw_b"] - x, 0.0)
    noise, cells = float(w["noise"][0]), float(seen.sum())
    square = float((missed**2).sum())
    apart = 0.5 * float((mean**2 + sd**2 - spread - 1).sum())
    value = (0.5 * square * np.exp(-noise) + 0.5 * noise * cells + pull * apart) / n

    out = missed * np.exp(-noise) / n
    back = (out @ w["draw"].T) * (1 - outside**2)
    to_z = back @ w["leave"].T
    to_mean = to_z + pull * mean / n
    to_spread = to_z * chance * sd / 2 + pull * 0.5 * (sd**2 - 1) / n
    first = (to_mean @ w["mean"].T + to_spread @ w["spread"].T) * (1 - inside**2)
    return value, {
        "enter": x.T @ first, "enter_b": first.sum(axis=0),
        "mean": inside.T @ to_mean, "mean_b": to_mean.sum(axis=0),
        "spread": inside.T @ to_spread, "spread_b": to_spread.sum(axis=0),
        "leave": z.T @ back, "leave_b": back.sum(axis=0),
        "draw": outside.T @ out, "draw_b": out.sum(axis=0),
        "noise": np.array([(0.5 * cells - 0.5 * square * np.exp(-noise)) / n]),
    }  # fmt: skip


def learn(x: Numbers, seen: NDArray[np.bool_], latent: int, seed: int, steps: int = STEPS) -> Weights:
    """Fit (P, F) patients. The KL comes in over the first quarter, so that the latent is not given up at once."""
    random = np.random.default_rng(seed)
    weights = start(x.shape[1], latent, HIDDEN, random)
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.zeros_like(value) for name, value in weights.items()}
    for step in range(1, steps + 1):
        rows = random.integers(0, len(x), min(_BATCH, len(x)))
        chance = random.standard_normal((len(rows), latent))
        _, slope = loss(weights, x[rows], seen[rows], chance, min(1.0, 4 * step / steps))
        rate = _RATE * (1 if step < 0.7 * steps else 0.2)
        for name, value in slope.items():
            first[name] = _FIRST * first[name] + (1 - _FIRST) * value
            second[name] = _SECOND * second[name] + (1 - _SECOND) * value**2
            ahead = first[name] / (1 - _FIRST**step)
            weights[name] = weights[name] - rate * ahead / (np.sqrt(second[name] / (1 - _SECOND**step)) + _TINY)
    return weights


def place(weights: Weights, x: Numbers) -> Numbers:
    """(P, L): the mean of each patient's latent."""
    return np.tanh(x @ weights["enter"] + weights["enter_b"]) @ weights["mean"] + weights["mean_b"]
