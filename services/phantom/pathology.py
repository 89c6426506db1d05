"""Findings on the frontal film: what fills the lung's air, and what replaces it."""

import numpy as np

from services.phantom.anatomy import Lungs, Person
from services.phantom.drawing import SIDES, Array, dome, sigmoid, texture
from services.phantom.truth import NODULE_CM, Findings


def edema(X: Array, Z: Array, day: np.random.Generator, severity: float) -> Array:
    """Bilateral perihilar filling (0..1) with a coarse texture."""
    size = X.shape[0]
    wings = sum(np.exp(-(((X - s * 4.8) / 3.4) ** 2) - ((Z - 0.3) / 5.5) ** 2) for s in SIDES)
    return severity * 0.55 * np.clip(wings * (1 + 0.45 * texture(day, size, size / 70)), 0, 1.4)


def consolidation(
    X: Array, Z: Array, person: np.random.Generator, day: np.random.Generator, side: int, severity: float
) -> Array:
    """One ragged lower-zone opacity."""
    size = X.shape[0]
    cx, cz = side * (6.5 + person.normal(0, 0.8)), -2.8 + person.normal(0, 1.2)
    edge = 1.05 - np.hypot(X - cx, (Z - cz) * 0.85) / (2.6 + 1.8 * severity)
    return (
        min(0.15 + 0.85 * severity, 1)
        * sigmoid((edge + 0.16 * texture(day, size, size / 30)) / 0.12)
        * (0.86 + 0.14 * texture(day, size, size / 90))
    )


def atelectasis(X: Array, Z: Array, side: int, severity: float) -> Array:
    """Two plate-like bands above the diaphragm."""
    out = np.zeros_like(X)
    for k in range(2):
        band = Z - (-4.2 + 1.3 * k) - 0.12 * (side * X - 6)
        out += 0.8 * severity * np.exp(-((band / 0.28) ** 2)) * ((side * X > 3) & (side * X < 11.5))
    return out


def effusion(X: Array, Z: Array, build: Person, side: int, severity: float) -> Array:
    """Basal fluid with a meniscus: the level rises laterally."""
    lateral = np.clip((side * X - 3) / (0.80 * build.half_width - 3), 0, 1.2)
    level = -9.6 - 0.9 * build.inspiration + 11.5 * severity + 2.6 * lateral**3.2
    return sigmoid((level - Z) / 0.25) * (side * X > 1.2)


def pneumothorax(
    X: Array, Z: Array, build: Person, lungs: Lungs, side: int, severity: float
) -> tuple[Array, Array, Array]:
    """``(air, fill, edge)``: pleural air, the crowding of the collapsed lung, its visceral pleural line."""
    rx, rz = lungs.half_axes
    shrink = 1 + 2.6 * severity * (0.55 + 0.45 * sigmoid((Z - 2) / 2))
    ellipse = (
        1
        - ((side * X - 0.49 * build.half_width + 2.0 * severity) / (rx / shrink**0.55)) ** 2
        - ((Z - 0.2 + 1.4 * severity) / (rz - 2.6 * severity)) ** 2
    )
    inside = (side * X > 1.9) & lungs.mask[side]
    air = inside * sigmoid(-ellipse / 0.03)
    return air, inside * (1 - air) * 0.10 * severity, 0.16 * np.exp(-((ellipse / 0.035) ** 2)) * inside


def nodules(X: Array, Z: Array, person: np.random.Generator, findings: Findings) -> Array:
    """Thickness of one ball per affected side, in the upper or middle zone of the lung's mid-axis."""
    out = np.zeros_like(X)
    for side, severity in zip(SIDES, findings.both("nodule"), strict=True):
        x, z = side * (6.6 + person.normal(0, 0.8)), 2.8 + person.normal(0, 1.8)
        if severity:
            radius = severity * NODULE_CM
            out += 2 * radius * dome(1 - ((X - x) ** 2 + (Z - z) ** 2) / radius**2)
    return out
