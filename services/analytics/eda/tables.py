"""All that was counted, as Parquet: what the page shows a part of."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from services.analytics.bench import Bench
from services.analytics.eda.report import Look


def write(bench: Bench[Any], look: Look) -> None:
    """fields, numbers, findings, sources, cooccurrence, sides and warnings."""
    _put(bench, "fields", ("dataset", "field", "value", "films"), [
        (site, one.name, value, int(films))
        for one in [*look.counts, look.dates, *look.ids]
        for row, site in enumerate(look.where.names)
        for value, films in [*zip(one.values, one.films[row], strict=True), (None, one.missing[row])]
    ])  # fmt: skip
    spread = ("least", "first_quartile", "median", "third_quartile", "most")
    _put(bench, "numbers", ("dataset", "field", "films", "missing", "mean", "sd", *spread), [
        (site, one.name, int(one.films[row]), int(one.missing[row]), float(one.mean[row]), float(one.sd[row]),
         *map(float, one.quartiles[row]))
        for one in look.spreads for row, site in enumerate([*look.where.names, ""])
    ])  # fmt: skip
    found = look.found
    _put(bench, "findings", ("dataset", "finding", "absent", "present", "uncertain"), [
        (site, name, *map(int, found.states[row, column]))
        for row, site in enumerate(look.where.names) for column, name in enumerate(found.names)
    ])  # fmt: skip
    _put(bench, "sources", ("source", "finding", "absent", "present", "uncertain"), [
        (source, name, *map(int, states[column]))
        for source, states in found.sources.items() for column, name in enumerate(found.names)
    ])  # fmt: skip
    _put(bench, "cooccurrence", ("finding", "other", "both_present", "other_stated"), [
        (name, other, int(found.both[a, b]), int(found.asked[a, b]))
        for a, name in enumerate(found.names) for b, other in enumerate(found.names)
    ])  # fmt: skip
    _put(bench, "sides", ("dataset", "side", "column", "rows", "stated", "distinct", "mean", "sd", *spread), [
        (side.table.dataset, side.table.name, cells.column.name, side.rows, cells.stated, cells.distinct,
         *(cells.numbers or (None,) * 7))
        for side in look.sides for cells in side.cells
    ])  # fmt: skip
    _put(bench, "warnings", ("what", "films", "who"), [
        (one.what, one.films, who) for one in look.warned for who in [*one.who, None][: max(len(one.who), 1)]
    ])  # fmt: skip


def _put(bench: Bench[Any], name: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    content: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            content[column].append(value)
    if rows:
        bench.table(name, content)
