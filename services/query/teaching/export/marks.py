"""Annotations as strokes that every format can draw: paths, circles and labels, in whatever unit a page has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from services.query.teaching.document import Annotation, Kind

COLOUR, SHADE = "#ffd24a", "#000000"  # amber over a dark edge is seen on black lungs and on white bones
FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_HEAD = 0.035  # length of an arrow's head, of the film's width
_LETTER = 0.034  # height of letters
_ROOM = 384  # px that a film is wide at least when marks are drawn into it


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points; closed and filled as an arrow's head is, or closed alone."""

    points: tuple[tuple[float, float], ...]
    closed: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Label:
    """Words; x and y are the left end of their base line, as far inside the film as words of this length must be."""

    x: float
    y: float
    text: str
    height: float


def strokes(marks: Sequence[Annotation], width: float, height: float) -> list[Stroke | Ring | Label]:
    """What to draw on a film of this size."""
    found: list[Stroke | Ring | Label] = []
    for mark in marks:
        points = [(point.x * width, point.y * height) for point in mark.points]
        at = points[0]
        match mark.kind:
            case Kind.ARROW:
                tail, tip = points
                base, wing, other = _head(tail, tip, _HEAD * width)
                found += [Stroke((tail, base)), Stroke((tip, wing, other), True, True)]
            case Kind.CIRCLE:
                radius = mark.radius * width
                found.append(Ring(*at, radius))
                at = (at[0] - radius, at[1] - radius)
            case Kind.RECTANGLE:
                (left, right), (top, bottom) = (sorted(pair) for pair in zip(*points, strict=True))
                found.append(Stroke(((left, top), (right, top), (right, bottom), (left, bottom)), True))
                at = (left, top)
            case Kind.POLYGON:
                found.append(Stroke(tuple(points), True))
                at = min(points, key=lambda point: point[1])
        if mark.text:
            found.append(_label(mark.text, at, width, height))
    return found


def svg(marks: Sequence[Annotation], width: int, height: int) -> str:
    """The inside of an <svg> whose user units are the film's pixels."""
    thick = width / 256
    drawn = "".join(_element(one) for one in strokes(marks, width, height))
    edge = f'<g fill="none" stroke="{SHADE}" stroke-width="{thick * 2:g}" stroke-linejoin="round">{drawn}</g>'
    face = f'<g fill="none" stroke="{COLOUR}" stroke-width="{thick:g}" stroke-linejoin="round">{drawn}</g>'
    return edge + face if drawn else ""


def burnt(picture: NDArray[np.uint8], marks: Sequence[Annotation]) -> Image.Image:
    """The film with its marks drawn into it.

    picture: (H, W) uint8.  Returns RGB of the same size, of a small film a multiple of it: letters need room.
    """
    image = Image.fromarray(picture).convert("RGB")
    if (times := -(-_ROOM // image.width)) > 1:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.BICUBIC)
    pen, width = ImageDraw.Draw(image), image.width
    thick = max(2, round(width / 256))
    for colour, extra in ((SHADE, 2), (COLOUR, 0)):
        for one in strokes(marks, width, image.height):
            match one:
                case Stroke(points, closed, filled):
                    if filled:
                        pen.polygon(points, fill=colour, outline=colour, width=thick + extra)
                    else:
                        line = (*points, points[0], points[1]) if closed else points
                        pen.line(line, fill=colour, width=thick + extra, joint="curve")
                case Ring(x, y, radius):
                    box = (x - radius, y - radius, x + radius, y + radius)
                    pen.ellipse(box, outline=colour, width=thick + extra)
                case Label(x, y, text, size):
                    font = ImageFont.truetype(str(FONT), max(10, round(size)))
                    pen.text((x, y), text, fill=colour, font=font, anchor="ls", stroke_width=extra, stroke_fill=SHADE)
    return image


def _head(
    tail: tuple[float, float], tip: tuple[float, float], length: float
) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """Where an arrow's shaft ends, and the two wings of its head."""
    angle = math.atan2(tip[1] - tail[1], tip[0] - tail[0])
    base = (tip[0] - length * math.cos(angle), tip[1] - length * math.sin(angle))
    across = (-math.sin(angle) * length * 0.45, math.cos(angle) * length * 0.45)
    return base, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])


def _label(text: str, at: tuple[float, float], width: float, height: float) -> Label:
    size = _LETTER * width
    long = min(len(text) * size * 0.6, width)
    x = min(max(at[0], size * 0.2), max(width - long, 0.0))
    y = min(max(at[1] - size * 0.4, size), height - size * 0.3)
    return Label(x, y, text, size)


def _element(one: Stroke | Ring | Label) -> str:
    match one:
        case Stroke(points, closed, filled):
            told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            inside = f' fill="{COLOUR}"' if filled else ""
            return f'<{"polygon" if closed else "polyline"} points="{told}"{inside}/>'
        case Ring(x, y, radius):
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
        case Label(x, y, text, size):
            letters = f'font-family="DejaVu Sans, sans-serif" font-size="{size:.1f}"'
            paint = f'fill="{COLOUR}" stroke-width="{size / 6:.1f}" paint-order="stroke" stroke="{SHADE}"'
            return f'<text x="{x:.1f}" y="{y:.1f}" {letters} {paint}>{escape(text)}</text>'
