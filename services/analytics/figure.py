"""Plots as inline SVG, with no library, no script and no font but the page's: lines, intervals, squares of figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

from services.analytics.estimate import Estimate
from services.analytics.picture import INK, colour

_WIDTH, _HEIGHT = 560, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 14, 42  # around the plot's own frame
_FAINT, _GREY = "#dfe7e8", "#5a7077"


@dataclass(frozen=True)
class Line:
    """xs, ys (N,); low, high: its band (N,), if there is one.  steps: hold each y until the next x.  dots: mark the
    points.  dashed: for what is there to compare with."""

    name: str
    xs: ArrayLike
    ys: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    steps: bool = False
    dots: bool = False
    dashed: bool = False


def lines(
    series: Sequence[Line],
    x: str,
    y: str,
    *,
    log_x: bool = False,
    unit: bool = False,
    diagonal: bool = False,
) -> Markup:
    """A plot of lines, each in a colour of its own, its band behind it.

    x, y: what the axes are.  unit: y from 0 to 1.  diagonal: y = x beside them, as in reliability plots.
    """
    across = _Axis([line.xs for line in series], _LEFT, _WIDTH - _RIGHT, log_x)
    values = [v for line in series for v in (line.ys, line.low, line.high) if v is not None]
    upward = _Axis([[0.0, 1.0]] if unit else values, _HEIGHT - _BOTTOM, _TOP)
    drawn = [_frame(across, upward, x, y)]
    if diagonal:
        low, high = max(across.low, upward.low), min(across.high, upward.high)
        drawn.append(
            f'<path d="M{across(low):.1f} {upward(low):.1f}L{across(high):.1f} {upward(high):.1f}" stroke="{_GREY}"'
            ' stroke-dasharray="3 4"/>'
        )
    for number, line in enumerate(series):
        drawn.append(_line(line, colour(number), across, upward))
    return _svg(drawn, _HEIGHT + 8, [(line.name, colour(number)) for number, line in enumerate(series)])


def intervals(
    rows: Sequence[tuple[str, Mapping[str, Estimate]]], x: str, *, at: float | None = None, unit: bool = False
) -> Markup:
    """Figures with their intervals, one row for each name, one colour for each series.

    at: a line to hold them against.
    """
    names = list(dict.fromkeys(name for _, found in rows for name in found))
    known = [e for _, found in rows for e in found.values() if e.known]
    spread = [v for e in known for v in (e.value, e.low, e.high)] + ([] if at is None else [at])
    left = int(np.clip(6.6 * max((len(label) for label, _ in rows), default=0) + 16, 190, 300))
    pitch = 8 * max(len(names), 1) + 12
    across = _Axis([[0.0, 1.0]] if unit else [spread], left, _WIDTH - _RIGHT)
    height = _TOP + pitch * len(rows)
    drawn = [_ticks(across, height)]
    drawn.append(f'<text x="{(left + _WIDTH) / 2:.0f}" y="{height + 32}" text-anchor="middle">{escape(x)}</text>')
    if at is not None:
        drawn.append(f'<path d="M{across(at):.1f} {_TOP}V{height}" stroke="{_GREY}" stroke-dasharray="3 4"/>')
    for row, (label, found) in enumerate(rows):
        middle = _TOP + pitch * (row + 0.5)
        drawn.append(f'<text x="{left - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(label)}</text>')
        for number, name in enumerate(names):
            estimate = found.get(name)
            if estimate is None or not estimate.known:
                continue
            spot = middle + 8 * (number - (len(names) - 1) / 2)
            low, value, high = across(estimate.low), across(estimate.value), across(estimate.high)
            drawn.append(f'<path d="M{low:.1f} {spot:.1f}H{high:.1f}" stroke="{colour(number)}" stroke-width="2"/>')
            drawn.append(f'<circle cx="{value:.1f}" cy="{spot:.1f}" r="3.2" fill="{colour(number)}"/>')
    return _svg(drawn, height + 42, [(name, colour(n)) for n, name in enumerate(names)] if len(names) > 1 else [])


def heat(names: Sequence[str], values: NDArray[np.float64], title: str) -> Markup:
    """A square of figures between `names`, (N, N), darker towards 1; NaN is left white. As wide as it must be: several
    stand in one row."""
    left, cell = 130, min(64, (_WIDTH - 146) // max(len(names), 1))
    drawn = [f'<text x="{left}" y="{_TOP + 4}">{escape(title)}</text>']
    for row, name in enumerate(names):
        y = _TOP + 16 + cell * row
        drawn.append(f'<text x="{left - 8}" y="{y + cell / 2 + 4:.0f}" text-anchor="end">{escape(_short(name))}</text>')
        for column, value in enumerate(values[row]):
            if not np.isfinite(value):
                continue
            x, dark = left + cell * column, float(np.clip(value, 0.0, 1.0))
            words = f'fill="{"#ffffff" if dark > 0.55 else INK}" text-anchor="middle"'
            drawn.append(f'<rect x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" fill="{_shade(dark)}"/>')
            drawn.append(f'<text x="{x + cell / 2 - 1:.0f}" y="{y + cell / 2 + 4:.0f}" {words}>{value:.2f}</text>')
    base = _TOP + 16 + cell * len(names)
    for column, name in enumerate(names):
        spot = f"translate({left + cell * (column + 0.5):.0f} {base + 12}) rotate(-35)"
        drawn.append(f'<text transform="{spot}" text-anchor="end">{escape(_short(name))}</text>')
    return _svg(drawn, base + 92, [], left + cell * len(names) + 16)


def _short(name: str, most: int = 18) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _shade(dark: float) -> str:
    """From paper to the ink of links."""
    return "#" + "".join(f"{round(255 + (end - 255) * dark):02x}" for end in (11, 94, 117))


class _Axis:
    """Numbers to places between `start` and `end`, with round ticks."""

    def __init__(self, values: Sequence[ArrayLike], start: float, end: float, log: bool = False) -> None:
        found = np.concatenate([np.ravel(np.asarray(v, dtype=np.float64)) for v in values] or [np.zeros(1)])
        found = found[np.isfinite(found) & ((found > 0) | (not log))]
        low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
        self._start, self._end, self._log = start, end, log
        if high <= low:
            low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
        self.ticks = _decades(low, high) if log else _round_ticks(low, high)
        self.low, self.high = min(low, self.ticks[0]), max(high, self.ticks[-1])

    def __call__(self, value: float) -> float:
        low, high, value = (math.log(max(v, 1e-300)) for v in (self.low, self.high, value)) if self._log else (
            self.low, self.high, value)  # fmt: skip
        return self._start + (value - low) / (high - low) * (self._end - self._start)


def _round_ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    each = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [m * 10.0**n for n in range(first, last + 1) for m in each]
    return [t for t in ticks if low * 0.999 <= t <= high * 1.001] or [low, high]


def _frame(across: _Axis, upward: _Axis, x: str, y: str) -> str:
    base = _HEIGHT - _BOTTOM
    drawn = [_ticks(across, base)]
    for tick in upward.ticks:
        place = upward(tick)
        drawn.append(f'<path d="M{_LEFT} {place:.1f}H{_WIDTH - _RIGHT}" stroke="{_FAINT}"/>')
        drawn.append(f'<text x="{_LEFT - 6}" y="{place + 4:.1f}" text-anchor="end">{tick:g}</text>')
    drawn.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" y="{base + 36}" text-anchor="middle">{escape(x)}</text>'
    )
    middle = (_TOP + base) / 2
    drawn.append(f'<text transform="translate(14 {middle:.0f}) rotate(-90)" text-anchor="middle">{escape(y)}</text>')
    return "".join(drawn)


def _ticks(across: _Axis, base: float) -> str:
    return "".join(
        f'<path d="M{across(tick):.1f} {_TOP}V{base}" stroke="{_FAINT}"/>'
        f'<text x="{across(tick):.1f}" y="{base + 17}" text-anchor="middle">{tick:g}</text>'
        for tick in across.ticks
    )


def _line(line: Line, paint: str, across: _Axis, upward: _Axis) -> str:
    xs, ys = np.asarray(line.xs, dtype=np.float64), np.asarray(line.ys, dtype=np.float64)
    drawn = []
    if line.low is not None and line.high is not None:
        low, high = np.asarray(line.low, dtype=np.float64), np.asarray(line.high, dtype=np.float64)
        there = np.isfinite(low) & np.isfinite(high) & np.isfinite(xs)
        edge = _spots(xs[there], high[there], line.steps, across, upward)
        back = _spots(xs[there], low[there], line.steps, across, upward)[::-1]
        drawn.append(f'<polygon points="{" ".join(edge + back)}" fill="{paint}" opacity=".16"/>')
    there = np.isfinite(xs) & np.isfinite(ys)
    spots = _spots(xs[there], ys[there], line.steps, across, upward)
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    drawn.append(f'<polyline points="{" ".join(spots)}" fill="none" stroke="{paint}" stroke-width="2"{dash}/>')
    if line.dots:
        drawn.extend(
            f'<circle cx="{across(a):.1f}" cy="{upward(b):.1f}" r="3" fill="{paint}"/>'
            for a, b in zip(xs[there], ys[there], strict=True)
        )
    return "".join(drawn)


def _spots(xs: NDArray[np.float64], ys: NDArray[np.float64], steps: bool, across: _Axis, upward: _Axis) -> list[str]:
    if steps and len(xs):
        xs, ys = np.repeat(xs, 2)[1:], np.repeat(ys, 2)[:-1]
    return [f"{across(a):.1f},{upward(b):.1f}" for a, b in zip(xs, ys, strict=True)]


def _svg(drawn: Sequence[str], height: float, legend: Sequence[tuple[str, str]], width: int = _WIDTH) -> Markup:
    keys = []
    for row, (name, paint) in enumerate(legend):
        y = height + 6 + 17 * row
        keys.append(f'<path d="M{_LEFT} {y}h18" stroke="{paint}" stroke-width="3"/>')
        keys.append(f'<text x="{_LEFT + 25}" y="{y + 4}">{escape(name)}</text>')
    total = height + 17 * len(legend)
    return Markup(
        f'<svg viewBox="0 0 {width} {total:.0f}" width="{width}" height="{total:.0f}" role="img"'
        f' font-size="12" fill="{INK}">{"".join([*drawn, *keys])}</svg>'
    )
