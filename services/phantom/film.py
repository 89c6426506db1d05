"""Render one phantom film: the same arguments give the same pixels.

pixels = render(PhantomFilm(view="PA", findings=Findings(effusion_right=0.4)), size=512)
"""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from services.phantom import anatomy, devices, lateral, pathology
from services.phantom.anatomy import MU_LUNG, MU_SOFT, Person
from services.phantom.drawing import HALF_FIELD_CM, SIDES, Array, blur, vessel_tree
from services.phantom.truth import DEVICES, PhantomFilm

MAX_VALUE = 4095  # 12 bits
DEFAULT_DOSE = 2e4  # photons per pixel at 512 x 512
NODULE_CONTRAST = 0.24  # 1/cm above lung: denser than soft tissue, as a calcified nodule is
MIN_SIZE = 64


def render(film: PhantomFilm, size: int = 512, dose: float = DEFAULT_DOSE) -> Array:
    """Return ``(size, size) uint16`` pixels in 0..4095, bone bright (MONOCHROME2).

    The dose is per detector area: a smaller matrix collects more photons in each of its pixels.
    Raises ``ValueError`` when ``size`` is below 64.
    """
    integral, body, day = _integrals(film, size)
    photons = dose * (512 / size) ** 2
    return _expose(integral, body, day, photons, {"AP": "AP", "PA": "L", "LATERAL": "LL"}[film.view])


def trace(film: PhantomFilm, slot: str, size: int = 512) -> Array:
    """Where a finding is drawn: what it adds to or takes from the line integrals, ``(size, size) float32``, absolute.

    The film with the finding against the same film with next to nothing of it: without it altogether, what comes after
    would be drawn with other random numbers. Raises ``ValueError`` when the film does not have the finding or is a
    lateral one.
    """
    severity = getattr(film.findings, slot)
    if not severity or film.view == "LATERAL":
        raise ValueError("only a frontal film that shows the finding says where it is drawn")
    least = 0.0 if slot in DEVICES else 1e-6
    without = replace(film, findings=replace(film.findings, **{slot: least}))
    return np.abs(_integrals(film, size)[0] - _integrals(without, size)[0]).astype(np.float32)


def _integrals(film: PhantomFilm, size: int) -> tuple[Array, Array, np.random.Generator]:
    """``(line integral, body thickness)``, and the day's random numbers as they stand after drawing."""
    if size < MIN_SIZE:
        raise ValueError(f"a film needs at least {MIN_SIZE} pixels on a side, not {size}")
    person = np.random.default_rng(1000 + film.patient)
    day = np.random.default_rng([film.patient, film.study, ("PA", "AP", "LATERAL").index(film.view)])
    axis = np.linspace(-HALF_FIELD_CM, HALF_FIELD_CM, size, dtype=np.float32)
    X, Z = np.meshgrid(axis, -axis)
    X, Z = _positioned(X, Z, day)
    build = Person.draw(film, person, day)
    if film.view == "LATERAL":
        integral, body = lateral.integrals(X, Z, film, build, person, day)
    else:
        integral, body = _frontal(X, Z, film, build, person, day)
    return integral, body, day


def display(pixels: Array) -> Array:
    """The 12-bit film as the full window shows it: ``(N, N) uint8``."""
    return (pixels >> 4).astype(np.uint8)


def _positioned(X: Array, Z: Array, day: np.random.Generator) -> tuple[Array, Array]:
    """The grid as seen by a patient who stands a little off."""
    angle = np.float32(day.normal(0, 0.012))
    dx, dz = day.normal(0, 0.35, 2).clip(-1, 1).astype(np.float32)
    cos, sin = np.cos(angle), np.sin(angle)
    return X * cos - Z * sin - dx, X * sin + Z * cos - dz


def _frontal(
    X: Array, Z: Array, film: PhantomFilm, build: Person, person: np.random.Generator, day: np.random.Generator
) -> tuple[Array, Array]:
    """``(line integral, body thickness)`` of a PA or AP film."""
    findings = film.findings
    body, total = anatomy.trunk(X, Z, build, film.sex)
    lungs = anatomy.lungs(X, Z, build, person, findings)
    soft, _ = anatomy.mediastinum(X, Z, build, person, film.age, findings)
    aerated = np.clip(lungs.chord - soft * (lungs.chord > 0), 0, None)
    mu = np.full_like(X, MU_LUNG - 0.022 * findings.emphysema)

    gain = 1 + 0.5 * findings.edema - 0.25 * findings.emphysema
    tree = sum(vessel_tree(X, Z, person, side, (2.7, 0.8), gain) for side in SIDES)
    extra = (MU_SOFT - MU_LUNG) * 1.15 * tree * (aerated > 0.6)

    fill = np.zeros_like(X)
    if findings.edema:
        fill += pathology.edema(X, Z, day, findings.edema)
    sided = {
        name: dict(zip(SIDES, findings.both(name), strict=True))
        for name in ("consolidation", "atelectasis", "effusion", "pneumothorax")
    }
    for side in SIDES:
        if severity := sided["consolidation"][side]:
            fill += pathology.consolidation(X, Z, person, day, side, severity)
        if severity := sided["atelectasis"][side]:
            fill += pathology.atelectasis(X, Z, side, severity)
    for side in SIDES:
        if severity := sided["effusion"][side]:
            fill = np.maximum(fill, pathology.effusion(X, Z, build, side, severity))
        if severity := sided["pneumothorax"][side]:
            air, crowding, edge = pathology.pneumothorax(X, Z, build, lungs, side, severity)
            # Free air lies above free fluid: it hides vessels and infiltrate, not an effusion.
            extra = extra * (1 - air) + edge
            mu = mu * (1 - air) + 0.004 * air
            fill += crowding
    fill = np.clip(fill, 0, 1) * (lungs.chord > 0.2)
    total -= MU_SOFT * aerated
    total += aerated * (mu * (1 - fill) + MU_SOFT * 0.98 * fill) + extra * (1 - 0.8 * fill)
    total += NODULE_CONTRAST * pathology.nodules(X, Z, person, findings)
    total += anatomy.bones(X, Z, build, person, film)
    total -= anatomy.trachea(X, Z)
    total += devices.frontal(X, Z, findings)
    return total, body


def _expose(integral: Array, body: Array, day: np.random.Generator, photons: float, mark: str) -> Array:
    """Line integrals to a 12-bit film: scatter, quantum noise, window, edge enhancement and side mark."""
    size = integral.shape[0]
    beam = np.exp(-np.clip(integral, 0, 9))
    beam = beam + 0.315 * blur(beam, size / 18)
    # A normal draw stands for the Poisson one: hundreds of photons reach every pixel.
    beam = beam + np.sqrt(beam / photons) * day.standard_normal(beam.shape, dtype=np.float32)
    log = -np.log(np.maximum(beam, 1e-5))
    air = body < 0.3
    log[air] *= 0.6
    log = blur(log, 0.55 * size / 512)
    low, high = np.percentile(log[body > 1], [0.5, 99.3])
    shown = np.clip((log - low) / (high - low), 0, 1)
    shown = np.where(air, shown * 0.5, shown)
    shown = np.clip(shown + 0.55 * (shown - blur(shown, size / 40)), 0, 1)
    pixels = (shown * MAX_VALUE).astype(np.uint16)
    label = Image.new("L", (size, size))
    ImageDraw.Draw(label).text((int(size * 0.91), int(size * 0.05)), mark, fill=255, font_size=max(8, size // 28))
    pixels[np.asarray(label) > 128] = 4000
    return pixels
