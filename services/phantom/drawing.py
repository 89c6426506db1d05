"""Small shapes and filters that every part of the phantom is drawn with.

Coordinates are centimetres: ``X`` grows to the patient's left (image right), ``Z`` upwards. Maps are
``(N, N) float32``; a *thickness* is the length in cm that a ray travels inside a thing.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

HALF_FIELD_CM = 19.0
RIGHT, LEFT = -1, 1  # the sign of X on each side of the patient
SIDES = (RIGHT, LEFT)
LARGE_SIGMA = 4.0

Array = np.ndarray


def sigmoid(x: Array | float) -> Array:
    """Logistic step, clipped against overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def dome(q: Array) -> Array:
    """Square root of ``q`` clipped to 0..1: the chord profile of an ellipsoid."""
    return np.sqrt(np.clip(q, 0, 1))


def blur(field: Array, sigma: float) -> Array:
    """Gaussian blur in pixels; a wide one is three box filters, whose cost does not grow with ``sigma``."""
    if sigma < LARGE_SIGMA:
        return gaussian_filter(field, sigma)
    # Three boxes of width w have variance 3 (w^2 - 1) / 12.
    width = round(float(np.sqrt(4 * sigma**2 + 1))) | 1
    for _ in range(3):
        field = uniform_filter(field, width)
    return field


def texture(rng: np.random.Generator, size: int, sigma: float) -> Array:
    """Smooth random field ``(size, size) float32`` with zero mean and unit variance."""
    field = blur(rng.standard_normal((size, size), dtype=np.float32), sigma)
    return (field - field.mean()) / (field.std() + 1e-9)


def tube(X: Array, Z: Array, xs: Array, zs: Array, radius: Array | float) -> Array:
    """Thickness of a tube along the polyline ``(xs, zs)``; ``radius`` in cm is one number or one per segment.

    A segment is evaluated only inside its own bounding box, so long thin trees stay cheap.
    """
    size = X.shape[0]
    pixels_per_cm = (size - 1) / (2 * HALF_FIELD_CM)
    out = np.zeros_like(X)
    radii = np.broadcast_to(radius, len(xs) - 1)
    # The grid may be rotated and shifted a little by positioning: the margin covers that.
    shift = 1.6

    def pixel(cm: float, extra: int) -> int:
        return int(np.clip(cm * pixels_per_cm + extra, 0, size))

    for x0, z0, x1, z1, r in zip(xs[:-1], zs[:-1], xs[1:], zs[1:], radii, strict=True):
        margin = r + shift
        columns = slice(pixel(min(x0, x1) - margin + HALF_FIELD_CM, 0), pixel(max(x0, x1) + margin + HALF_FIELD_CM, 2))
        rows = slice(pixel(HALF_FIELD_CM - max(z0, z1) - margin, 0), pixel(HALF_FIELD_CM - min(z0, z1) + margin, 2))
        box = (rows, columns)
        if X[box].size == 0:
            continue
        dx, dz = X[box] - np.float32(x0), Z[box] - np.float32(z0)
        ux, uz = np.float32(x1 - x0), np.float32(z1 - z0)
        along = np.clip((dx * ux + dz * uz) / (ux * ux + uz * uz + np.float32(1e-9)), 0, 1)
        dx -= along * ux
        dz -= along * uz
        chord = 2 * np.sqrt(np.maximum(np.float32(r * r) - dx * dx - dz * dz, 0))
        np.maximum(out[box], chord, out=out[box])
    return out


def vessel_tree(
    X: Array, Z: Array, rng: np.random.Generator, side: int, hilum: tuple[float, float], gain: float = 1.0
) -> Array:
    """Thickness of 16 tapering vessels that walk out from a hilum at ``hilum`` cm towards ``side``."""
    out = np.zeros_like(X)
    segments = 7
    for _ in range(16):
        angle = rng.uniform(-1.25, 1.25)
        radius = rng.uniform(0.22, 0.4) * gain
        xs, zs = [side * hilum[0]], [hilum[1]]
        for _ in range(segments):
            angle += rng.normal(0, 0.22)
            xs.append(xs[-1] + side * np.cos(angle) * 1.15)
            zs.append(zs[-1] + np.sin(angle) * 1.35)
        taper = radius * (1 - np.arange(segments) / 8.5)
        np.maximum(out, tube(X, Z, np.array(xs), np.array(zs), taper), out=out)
    return out
