"""The lateral film. ``Y`` runs front to back (image left is anterior); both lungs superimpose."""

import numpy as np

from services.phantom import devices
from services.phantom.anatomy import MU_BONE, MU_LUNG, MU_SOFT, Person
from services.phantom.drawing import Array, dome, sigmoid, texture, tube, vessel_tree
from services.phantom.truth import Findings, PhantomFilm


def integrals(
    Y: Array, Z: Array, film: PhantomFilm, build: Person, person: np.random.Generator, day: np.random.Generator
) -> tuple[Array, Array]:
    """``(line integral, body thickness)`` of a lateral film."""
    findings = film.findings
    depth = build.half_depth * 1.02 + 1.3 * findings.emphysema
    outline = depth + 1.2 - 9 * sigmoid((Z - 13.5) / 0.9)
    body = 2 * build.half_width * 0.93 * dome(1 - (np.abs(Y) / outline) ** 3)
    total = MU_SOFT * body
    if film.sex == "F":
        total += MU_SOFT * 4 * dome(1 - ((Y + depth) / 3.6) ** 2 - ((Z + 4.5) / 4.4) ** 2)

    diaphragm = (
        -7
        - 0.9 * build.inspiration
        - 1.5 * findings.emphysema
        + (2.6 - 2.3 * findings.emphysema) * (1 - ((Y + 1.5) / depth) ** 2)
        - 2.2 * sigmoid((Y - 3) / 1.2)
    )
    lung = (
        2
        * build.half_width
        * 0.70
        * dome(1 - (np.abs(Y) / (depth - 1.3)) ** 2.4 - ((Z - 0.8) / (11.4 + 0.45 * build.inspiration)) ** 2)
        * sigmoid((Z - diaphragm) / 0.15)
    )
    r = 4.3 * (1 + 0.45 * findings.cardiomegaly)
    heart = (
        2
        * (5 + 2 * findings.cardiomegaly)
        * dome(1 - ((Y + 3.6 - 1.2 * findings.cardiomegaly) / r) ** 2 - ((Z + 4.4) / (r * 1.02)) ** 2)
    )
    aerated = np.clip(lung - heart * (lung > 0), 0, None)
    fill = _filling(Y, Z, build, day, findings) * (lung > 0.2)
    tree = vessel_tree(Y, Z, person, 1, (0, 0.3)) + vessel_tree(Y, Z, person, -1, (0, 0.3))
    total -= MU_SOFT * aerated
    total += aerated * ((MU_LUNG - 0.02 * findings.emphysema) * (1 - fill) + MU_SOFT * fill) + 0.16 * tree * (
        aerated > 1
    )
    total += _skeleton(Y, Z, depth, film.age)
    total -= MU_SOFT * 1.5 * dome(1 - ((Y - 0.2 - 0.12 * (Z - 8)) / 0.9) ** 2) * sigmoid((Z - 4) / 0.4) * (Z < 16)
    total += devices.lateral(Y, Z, findings, depth)
    return total, body


def _filling(Y: Array, Z: Array, build: Person, day: np.random.Generator, findings: Findings) -> Array:
    """Fraction of the air space that fluid or consolidation takes, 0..1."""
    fill = np.zeros_like(Y)
    fluid = sum(findings.both("effusion"))
    if fluid:
        level = -9.6 - 0.9 * build.inspiration + 10.5 * min(fluid, 1) + 2.2 * np.clip((Y - 1) / 7, 0, 1.2) ** 2
        fill = np.maximum(fill, 0.5 * min(fluid, 1.6) * sigmoid((level - Z) / 0.3))
    solid = sum(findings.both("consolidation"))
    if solid:
        size = Y.shape[0]
        edge = 1 - np.hypot(Y - 3, Z + 2.5) / 4
        fill += 0.5 * min(solid, 1) * sigmoid((edge + 0.15 * texture(day, size, size / 30)) / 0.15)
    fill += 0.3 * findings.edema * np.exp(-((np.hypot(Y - 0.5, Z - 0.5) / 4.5) ** 2))
    return np.clip(fill, 0, 1)


def _skeleton(Y: Array, Z: Array, depth: float, age: int) -> Array:
    """Line integral of spine, sternum and ribs."""
    contrast = (MU_BONE - MU_SOFT) * (1 - 0.004 * max(age - 50, 0))
    spine = depth - 2.6 + 0.9 * np.sin((Z + 4) / 9)
    out = contrast * 3.6 * np.exp(-(((Y - spine) / 1.5) ** 6)) * (0.75 + 0.25 * np.cos(2 * np.pi * Z / 2.3))
    out += contrast * 1.2 * np.exp(-(((Y + depth - 0.9 + 0.12 * Z) / 0.55) ** 4)) * (np.abs(Z) < 8.5)
    t = np.linspace(0, 1, 10)
    for i in range(9):
        out += (
            contrast
            * 0.7
            * tube(Y, Z, float(spine.min()) + 1 - (2 * depth - 3.2) * t, 10.5 - 2.1 * i - 1.0 * t - 3.4 * t**2, 0.42)
        )
    return out
