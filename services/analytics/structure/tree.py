"""The tree of clusters over resolutions, drawn: a row for each resolution, a disc for each cluster, lines where films
go. Filled discs come back when half of the patients are clustered alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from services.analytics.picture import INK
from services.analytics.structure.stability import STABLE, Level, contingency

_WIDTH, _PITCH, _LEFT = 960, 74, 84
_LARGEST = 24.0
_FULL, _HOLLOW, _LINE = "#0b6e75", "#ffffff", "#9fb3b7"
_SEEN = 0.1  # share of a cluster's films that is worth a line
MOST = 40  # clusters of a row that can still be told apart


def draw(levels: Sequence[Level]) -> Markup:
    """Resolutions rise downwards; the number in a disc is its cluster's at that resolution. Rows of more than MOST
    clusters are left out."""
    rows = [level for level in levels if len(level.partition.sizes) <= MOST]
    total = len(rows[0].partition.members) if rows else 1
    spots: list[dict[int, float]] = []
    for number, level in enumerate(rows):
        sizes = level.partition.sizes
        if number:
            table = contingency(level.partition.members, rows[number - 1].partition.members)
            above = spots[-1]
            pull = (table * np.array([above[parent] for parent in range(table.shape[1])])).sum(axis=1)
            order = np.argsort(pull / table.sum(axis=1), kind="stable")
        else:
            order = np.arange(len(sizes))
        room = (_WIDTH - _LEFT - 20) / len(sizes)
        spots.append({int(name): _LEFT + room * (place + 0.5) for place, name in enumerate(order)})
    lines, discs = [], []
    for number, level in enumerate(rows):
        y = 40 + _PITCH * number
        discs.append(f'<text x="4" y="{y + 4}">{level.resolution:g}</text>')
        crowd = min(1.0, 18 / len(level.partition.sizes))
        for name, size in enumerate(level.partition.sizes):
            x, radius = spots[number][name], max(4.0, crowd * _LARGEST * np.sqrt(size / total) + 4)
            stable = level.jaccard[name] >= STABLE
            discs.append(
                f'<circle cx="{x:.1f}" cy="{y}" r="{radius:.1f}" fill="{_FULL if stable else _HOLLOW}" stroke="{_FULL}"'
                f' stroke-width="1.5"><title>C{name + 1:02d}, {size} films, Jaccard {level.jaccard[name]:.2f}</title>'
                "</circle>"
            )
            if radius >= 8:
                paint = "#ffffff" if stable else INK
                where = f'x="{x:.1f}" y="{y + 4}" text-anchor="middle" font-size="11" fill="{paint}"'
                discs.append(f"<text {where}>{name + 1}</text>")
        if number:
            table = contingency(level.partition.members, rows[number - 1].partition.members)
            for name, parent in np.argwhere(table >= _SEEN * table.sum(axis=1, keepdims=True)):
                share = table[name, parent] / total
                lines.append(
                    f'<path d="M{spots[number - 1][int(parent)]:.1f} {y - _PITCH}L{spots[number][int(name)]:.1f} {y}"'
                    f' stroke="{_LINE}" stroke-width="{max(1.0, 14 * share):.1f}"/>'
                )
    height = 40 + _PITCH * len(rows)
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" font-size="12"'
        f' fill="{INK}"><text x="4" y="14">resolution</text>{"".join(lines)}{"".join(discs)}</svg>'
    )
