"""The frontal body: soft tissue, lungs, mediastinum, bones and airway as thickness maps in cm."""

from dataclasses import dataclass

import numpy as np

from services.phantom.drawing import SIDES, Array, dome, sigmoid, tube
from services.phantom.truth import Findings, PhantomFilm

MU_SOFT, MU_LUNG, MU_BONE = 0.20, 0.055, 0.38  # linear attenuation, 1/cm


@dataclass(frozen=True, slots=True)
class Person:
    """One patient's build on one day. Lengths are cm."""

    half_width: float
    half_depth: float
    habitus: float
    inspiration: float
    portable: bool

    @classmethod
    def draw(cls, film: PhantomFilm, person: np.random.Generator, day: np.random.Generator) -> "Person":
        habitus = person.normal()
        portable = film.view == "AP"
        inspiration = person.normal(0, 0.4) + day.normal(0, 0.3) - 1.6 * portable + 2.0 * film.findings.emphysema
        return cls(
            (15.2 if film.sex == "M" else 13.9) + 0.6 * habitus, 10.5 + 0.9 * habitus, habitus, inspiration, portable
        )


@dataclass(frozen=True, slots=True)
class Lungs:
    """``chord`` is lung thickness; ``mask[side]`` where that lung is; ``half_axes`` (x, z) of one lung."""

    chord: Array
    mask: dict[int, Array]
    half_axes: tuple[float, float]


def trunk(X: Array, Z: Array, person: Person, sex: str) -> tuple[Array, Array]:
    """Body thickness, and its line integral with the breasts added."""
    outline = (
        person.half_width
        + 1.2 * sigmoid((Z - 6) / 1.5)
        + 6 * sigmoid((Z - 10.5) / 0.9)
        - 14 * sigmoid((Z - 14.3) / 0.8)
    )
    body = 2 * person.half_depth * dome(1 - (np.abs(X) / np.maximum(outline, 4.2)) ** 3)
    integral = MU_SOFT * body
    if sex == "F":
        for side in SIDES:
            integral += (
                MU_SOFT * 1.2 * dome(1 - ((X - side * 7.6) / 5.6) ** 2 - ((Z + 5.2 + 0.2 * person.habitus) / 4.6) ** 2)
            )
    return body, integral


def lungs(X: Array, Z: Array, person: Person, rng: np.random.Generator, findings: Findings) -> Lungs:
    """Both lungs above their diaphragms; lower-lobe collapse lifts the diaphragm of its side."""
    rx, rz = 0.415 * person.half_width, 11.2 + 0.45 * person.inspiration
    total, masks = np.zeros_like(X), {}
    collapse = dict(zip(SIDES, findings.both("atelectasis"), strict=True))
    for side in SIDES:
        x0 = side * 0.49 * person.half_width
        curve = (3.0 - 2.6 * findings.emphysema) * (1 - ((X - x0) / rx) ** 2)
        base = (
            -6.9 - 0.9 * person.inspiration + (1.3 if side < 0 else 0) - 1.4 * findings.emphysema + 2.6 * collapse[side]
        )
        medial = 1.9 + 0.25 * rng.normal() + (0.5 if person.portable else 0)
        taper = rx * (1 - 0.028 * np.clip(Z - 4, 0, 9))
        ellipse = 1 - ((X - x0) / taper) ** 2 - ((Z - 1.0) / rz) ** 2
        chord = (
            2 * 8.2 * dome(ellipse) * sigmoid((Z - (base + curve - 1.6)) / 0.12) * sigmoid((side * X - medial) / 0.18)
        )
        masks[side] = chord > 1.2
        total += chord
    return Lungs(total, masks, (rx, rz))


def mediastinum(
    X: Array, Z: Array, person: Person, rng: np.random.Generator, age: int, findings: Findings
) -> tuple[Array, float]:
    """Thickness of heart, great vessels and aorta, and the cardiothoracic ratio."""
    magnification = 1.17 if person.portable else 1.0
    ratio = (
        float(
            np.clip(0.425 + 0.02 * rng.normal() + 0.22 * findings.cardiomegaly - 0.05 * findings.emphysema, 0.3, 0.75)
        )
        * magnification
    )
    width = ratio * 2 * person.half_width * 0.90
    hx, hz = 0.12 * width, -4.6 - 0.5 * person.inspiration - 0.6 * findings.cardiomegaly
    tilt = np.deg2rad(-22 + 6 * findings.cardiomegaly)
    u = (X - hx) * np.cos(tilt) - (Z - hz) * np.sin(tilt)
    w = (X - hx) * np.sin(tilt) + (Z - hz) * np.cos(tilt)
    heart = (
        2 * (4.6 + 2 * findings.cardiomegaly) * dome(1 - (u / (width * 0.515)) ** 2 - (w / (width * 0.40 + 0.4)) ** 2)
    )
    knob = 1.35 + 0.012 * (age - 50) + (0.3 if person.portable else 0)
    half = 2.0 + (0.6 if person.portable else 0)
    centre = 7 * np.exp(-((np.abs(X) / half) ** 4)) * sigmoid(Z + 9)
    aorta = 2 * knob * dome(1 - ((X - 2.3) / knob) ** 2 - ((Z - 5.2) / (knob * 1.15)) ** 2)
    return np.maximum(np.maximum(heart, centre), aorta), ratio


def bone_contrast(age: int, sex: str) -> float:
    """Attenuation of bone above soft tissue, 1/cm: it falls with age."""
    return (MU_BONE - MU_SOFT) * (1 - 0.004 * max(age - 50, 0)) * (1 if sex == "M" else 0.92)


def bones(X: Array, Z: Array, person: Person, rng: np.random.Generator, film: PhantomFilm) -> Array:
    """Line integral of spine, ribs, clavicles and scapulae."""
    W, contrast = person.half_width, bone_contrast(film.age, film.sex)
    phase = 2 * np.pi * (Z + rng.uniform(0, 2)) / 2.25
    out = contrast * 2.2 * np.exp(-((X / 1.75) ** 6)) * (0.82 + 0.18 * np.cos(phase))
    jitter = rng.normal(0, 0.12, 10)
    t = np.linspace(0, 1, 14)
    for side in SIDES:
        for i in range(10):
            top = 10.6 - 1.92 * i + jitter[i]
            reach = float(np.clip(0.50 * W + 0.07 * W * i, 0, 0.865 * W))
            xs = side * (1.6 + (reach - 1.6) * np.sin(t * np.pi / 2))
            zs = top + 1.1 * np.sin(np.pi * t * 0.9) - (0.9 + 0.16 * i) * t**2 * 2.2
            out += contrast * 0.85 * tube(X, Z, xs, zs, 0.48)  # posterior arc
            if i < 7:
                xs = side * (reach - (reach - 4.4 - 0.25 * i) * t)
                zs = zs[-1] - (3.4 + 0.15 * i) * np.sin(t * np.pi / 2) * 0.9
                out += contrast * 0.42 * tube(X, Z, xs, zs, 0.55)  # anterior arc
        level = 10.9 + (1.3 if person.portable else 0)
        out += (
            contrast
            * 0.95
            * tube(X, Z, side * np.array([1.9, 5.5, 9.5, 13.5]), level + np.array([-1.2, -0.4, 0.5, 1.2]), 0.55)
        )
        blade = (2.6 - np.abs(X - side * (9.6 if person.portable else 13.2)) - 0.25 * np.abs(Z - 5)) / 0.25
        out += contrast * 0.10 * sigmoid(blade) * sigmoid((5.2 - np.abs(Z - 5)) / 0.4)
    return out


def trachea(X: Array, Z: Array) -> Array:
    """Line integral that the air of the trachea takes away."""
    return MU_SOFT * 1.5 * dome(1 - (X / 0.95) ** 2) * sigmoid((Z - 4.2) / 0.4) * (Z < 17)
