"""The record of a cohort: its specification, its manifest, the flow of films and Table 1."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO

from services.analytics.cohort.export import csv_file
from services.analytics.cohort.export.frozen import Count, Frozen
from services.analytics.cohort.export.part import Part, text
from services.analytics.cohort.export.table import Content

_ABOUT = {
    "table1": "Table 1", "balance": "balance of cases and controls", "split": "parts of the split",
    "leakage": "what parts have in common",
}  # fmt: skip
_COUNTS = ("images", "studies", "patients")


def always(content: Content) -> Iterator[Part]:
    """What every export has."""
    yield Part(
        "spec.json", "the specification; sent again, it makes the cohort again", text(_json(content.frozen.spec))
    )
    yield Part("manifest.json", "how the cohort was made, as it was frozen", text(_json(content.frozen.manifest)))


def parts(content: Content) -> Iterator[Part]:
    """attrition.csv; table1.csv, balance.csv, split.csv and leakage.csv where the report has them."""
    yield Part("attrition.csv", "films, studies and patients left by every step", partial(_attrition, content.frozen))
    for name, table in sorted(content.frozen.tables.items()):
        yield Part(f"{name}.csv", f"{_ABOUT.get(name, name)}, as the report has it", partial(_table, table))


def _attrition(frozen: Frozen, file: BinaryIO) -> None:
    header = ["step", "kind", "name", "test"]
    header += [f"{what}_{of}" for what in ("left", "removed", "alone_would_remove") for of in _COUNTS]
    rows = [
        [number, step.kind, step.name, step.test, *_numbers(step.left), *_numbers(step.removed), *_numbers(step.alone)]
        for number, step in enumerate(frozen.steps)
    ]
    csv_file.write(file, header, rows)


def _numbers(count: Count | None) -> list[int | None]:
    return [getattr(count, name) if count else None for name in _COUNTS]


def _table(table: Mapping[str, Any], file: BinaryIO) -> None:
    csv_file.write(file, table["columns"], table["rows"])


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, default=str) + "\n"
