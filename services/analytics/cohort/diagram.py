"""The flow diagram of a cohort, as CONSORT and STARD draw it: who is left below, who fell beside."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from markupsafe import Markup, escape

from services.analytics.cohort.flow import ARCHIVE, CAP, EXCLUDE, INCLUDE, MATCH, SAMPLE, Step
from services.analytics.cohort.population import Counts
from services.analytics.picture import INK

_LINE, _PAD, _GAP = 17, 9, 22
_LEFT, _WIDE, _ASIDE = 8, 300, 340  # where boxes begin, how wide they are, where those beside begin
_CHARS, _MOST_LINES = 46, 3
_FAINT, _GREY = "#f4f7f7", "#5a7077"
_SAID = {EXCLUDE: "Excluded", CAP: "Beyond the cap", MATCH: "Not matched", SAMPLE: "Not drawn"}


def flow(steps: Sequence[Step], title: str = "Selected") -> Markup:
    """One box a step, with what it removes beside it; the last one is the cohort."""
    drawn, y, before = [], float(_PAD), None
    for number, step in enumerate(steps):
        if step.kind != ARCHIVE:
            why = step.name if step.kind in (INCLUDE, EXCLUDE) else step.test
            aside = [_SAID.get(step.kind, "Not included"), *_wrapped(why), *_counts(step.removed)]
            height = _height(aside)
            assert before is not None
            middle = y + height / 2 + _GAP / 2
            drawn.append(_arrow(_LEFT + _WIDE / 2, middle, _ASIDE))
            drawn.append(_box(_ASIDE, y + _GAP / 2, aside, _FAINT))
            end = y + height + _GAP
            drawn.append(_down(_LEFT + _WIDE / 2, before, end))
            y = end
        last = number == len(steps) - 1
        name = title if last and len(steps) > 1 else "Films that may be looked at" if number == 0 else "Left"
        lines = [name, *_counts(step.left)]
        drawn.append(_box(_LEFT, y, lines, "#ffffff", strong=last))
        y += _height(lines)
        before = y
    width, total = _ASIDE + _WIDE + _LEFT, y + _PAD
    return Markup(
        f'<svg viewBox="0 0 {width} {total:.0f}" width="{width}" height="{total:.0f}" role="img" font-size="12.5"'
        f' fill="{INK}" aria-label="{escape(_told(steps))}">{"".join(drawn)}</svg>'
    )


def _counts(count: Counts) -> list[str]:
    return [f"{count.images:,} films", f"{count.studies:,} studies, {count.patients:,} patients"]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text[:1].upper() + text[1:], _CHARS, max_lines=_MOST_LINES, placeholder=" …") or [""]


def _height(lines: Sequence[str]) -> float:
    return _LINE * len(lines) + 2 * _PAD - 4


def _box(x: float, y: float, lines: Sequence[str], fill: str, strong: bool = False) -> str:
    border = f'stroke="{INK if strong else _GREY}" stroke-width="{2 if strong else 1}"'
    drawn = [f'<rect x="{x}" y="{y:.1f}" width="{_WIDE}" height="{_height(lines):.1f}" fill="{fill}" {border}/>']
    for row, line in enumerate(lines):
        weight = ' font-weight="600"' if row == 0 else ""
        drawn.append(f'<text x="{x + 10}" y="{y + _PAD + 10 + _LINE * row:.1f}"{weight}>{escape(line)}</text>')
    return "".join(drawn)


def _down(x: float, start: float, end: float) -> str:
    head = f"M{x - 4:.0f} {end - 7:.1f}L{x:.0f} {end:.1f}L{x + 4:.0f} {end - 7:.1f}"
    return f'<path d="M{x:.0f} {start:.1f}V{end:.1f}{head}" fill="none" stroke="{_GREY}"/>'


def _arrow(x: float, y: float, end: float) -> str:
    head = f"M{end - 7:.0f} {y - 4:.1f}L{end:.0f} {y:.1f}L{end - 7:.0f} {y + 4:.1f}"
    return f'<path d="M{x:.0f} {y:.1f}H{end:.0f}{head}" fill="none" stroke="{_GREY}"/>'


def _told(steps: Sequence[Step]) -> str:
    """For whom does not see it."""
    said = [f"{step.name}: {step.removed.images:,} films fall, {step.left.images:,} are left" for step in steps[1:]]
    return "; ".join([f"{steps[0].left.images:,} films", *said])
