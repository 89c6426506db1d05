"""Maps as small PNGs, drawn with Pillow: coloured by cluster, or by the state of one finding."""

from __future__ import annotations

import base64
import colorsys
import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# Okabe & Ito 2008: told apart with any colour vision. Beyond these, hues by the golden angle.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a68ae", "#b3a125")
PRESENT, UNCERTAIN, ABSENT, UNKNOWN = "#d55e00", "#e6b800", "#8fb8d0", "#dedede"
INK, PAPER = "#12303a", "#ffffff"
_SCALE = 3  # drawn larger and reduced: smooth edges


def colour(number: int) -> str:
    """The colour of a cluster."""
    if number < len(PALETTE):
        return PALETTE[number]
    red, green, blue = colorsys.hls_to_rgb((number * 0.381966) % 1.0, 0.45 + 0.15 * (number % 3 - 1), 0.55)
    return f"#{int(red * 255):02x}{int(green * 255):02x}{int(blue * 255):02x}"


def by_cluster(place: NDArray[np.float32], members: NDArray[np.int32], names: Sequence[str], size: int = 440) -> str:
    """Data URL of the map (N, 2), each film in the colour of its cluster, clusters named at their middles."""
    palette = [colour(number) for number in range(len(names))]
    named = {name: members == number for number, name in enumerate(names[:40])}
    return painted(place, [palette[m] for m in members], named, size)


def painted(
    place: NDArray[np.float32], paints: Sequence[str], named: Mapping[str, NDArray[np.bool_]], size: int = 440
) -> str:
    """Data URL of the map (N, 2), each film in its own of `paints`, and names at the middles of the films (N,) they
    are of."""
    canvas, spots = _points(place, paints, np.random.default_rng(0).permutation(len(place)), size)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=12 * _SCALE)
    for name, films in named.items():
        x, y = np.median(spots[films], axis=0)
        draw.text((x, y), name, font=font, fill=INK, anchor="mm", stroke_width=2 * _SCALE, stroke_fill=PAPER)
    return _url(canvas, size)


def blend(colours: Sequence[str]) -> str:
    """The colour between, mixed as light mixes."""
    parts = np.array([[int(paint[at : at + 2], 16) for at in (1, 3, 5)] for paint in colours]) / 255
    mixed = ((parts**2.2).mean(axis=0) ** (1 / 2.2) * 255).round().astype(int)
    return "#" + "".join(f"{value:02x}" for value in mixed)


def by_state(place: NDArray[np.float32], codes: NDArray[np.int8], size: int = 250) -> str:
    """Data URL of the map (N, 2), each film in the colour of one finding's state; present on top, unknown below."""
    paint = {0: ABSENT, 1: PRESENT, 2: UNCERTAIN, -1: UNKNOWN}
    height = {-1: 0, 0: 1, 2: 2, 1: 3}
    order = np.argsort([height[int(code)] for code in codes], kind="stable")
    canvas, _ = _points(place, [paint[int(code)] for code in codes], order, size)
    return _url(canvas, size)


def _points(
    place: NDArray[np.float32], colours: Sequence[str], order: NDArray[np.int64], size: int
) -> tuple[Image.Image, NDArray[np.float64]]:
    edge = size * _SCALE
    low, high = place.min(axis=0), place.max(axis=0)
    span = float(max((high - low).max(), 1e-9))
    spots = (place - (low + high) / 2) / span * (edge * 0.94) + edge / 2
    spots[:, 1] = edge - spots[:, 1]  # up is up
    radius = float(np.clip(size / 3.2 / np.sqrt(len(place)), 0.5, 3.2)) * _SCALE
    canvas = Image.new("RGB", (edge, edge), PAPER)
    draw = ImageDraw.Draw(canvas)
    for row in order:
        x, y = spots[row]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[row])
    return canvas, spots


def _url(canvas: Image.Image, size: int) -> str:
    out = io.BytesIO()
    small = canvas.resize((size * 3 // 2, size * 3 // 2), Image.Resampling.LANCZOS)  # sharp on dense screens
    small.quantize(128, method=Image.Quantize.MEDIANCUT).save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
