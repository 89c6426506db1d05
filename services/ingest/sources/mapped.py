"""A dataset that nobody published a layout for: its user says in YAML which column means what.

    films: [.png, .dcm]                # endings; all that Hilum reads when left out
    table: metadata.csv                # CSV (plain or .gz) or Parquet, below the folder of tables
    key: image_file                    # the column that names a film: by path, by file name, or without its ending
    columns: {patient_id: PatID, study_id: Exam, view: Projection, sex: Gender, age: AgeYears}
    join:                              # further tables, each row once per value of the column `by`
      - {table: labels.parquet, by: Exam, prefix: lab}
    labels:
      - {source: reader, level: study, columns: {Edema: lab.edema, Pleural Effusion: lab.eff}}
      - {source: text, listed: findings, separator: "|", universe: [Edema, Fracture]}
    reports: {study: Exam, sections: {findings: FindingsText, impression: Impression}}
    constants: {licence: CC BY 4.0, modality: DX}
    keep_ids: false                    # true: the dataset is already de-identified
    date_kind: shifted

A column of a joined table is written ``prefix.column``. Nothing but what is named here enters the archive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from services.core.errors import HilumError, invalid
from services.ingest.sources.files import LAYOUTS
from services.ingest.sources.layout import MAP, Csv, Layout, Listed, Told, Wide, basename, stem
from services.ingest.sources.tables import SECTIONS
from services.ingest.stated import Stated

_KEYS = {"films", "table", "key", "columns", "join", "labels", "reports", "constants", "keep_ids", "date_kind"}
_FACTS = {field.name for field in fields(Stated)} - {"labels", "boxes", "view_source"}
_KINDS = ("real", "shifted", "ordinal", "offset")
_LARGEST = 2**20


def read_map(path: Path) -> Layout:
    """A column map → the layout that it describes. Raises INVALID_ARGUMENT saying which entry is wrong."""
    try:
        if path.stat().st_size > _LARGEST:
            raise invalid("a column map has at most 1 MiB")
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise invalid(
            "the column map cannot be read; it needs YAML as `hilum ingest SOURCE --propose` writes it"
        ) from None
    if not isinstance(given, dict):
        raise invalid("the column map is no table of settings; see `hilum ingest SOURCE --propose`")
    if unknown := sorted(map(str, given.keys() - _KEYS)):
        raise invalid(f"the column map knows no {', '.join(unknown)}; it takes {', '.join(sorted(_KEYS))}")
    try:
        return _layout(given)
    except HilumError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError):
        raise invalid("the column map lacks an entry or has one of another kind; see `hilum ingest --help`") from None


def _layout(given: Mapping[str, Any]) -> Layout:
    joins = [(one.get("prefix") or f"t{i}", one) for i, one in enumerate(given.get("join", ()), 1)]
    named = _Columns({"films", *(prefix for prefix, _ in joins)})
    key = named.sql(_present(given, "key"))
    select = {"key": f"replace({key}, chr(92), '/')"}
    for fact, column in given.get("columns", {}).items():
        if fact not in _FACTS:
            raise invalid(f"the column map maps to no such fact: {fact}; there are {', '.join(sorted(_FACTS))}")
        select[fact] = named.sql(column)
    labels = [_labels(one, named) for one in given.get("labels", ())]
    reports = given.get("reports")
    sections = {name: named.sql(column) for name, column in (reports or {}).get("sections", {}).items()}
    if unknown := sections.keys() - set(SECTIONS):
        raise invalid(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    joined = f"films {_joined(joins, named)}"
    told = Told(joined, named.sql(reports["study"]), sections) if reports else None
    tables = {"films": Csv(str(_present(given, "table")), tuple(sorted(named.used["films"])))}
    for prefix, one in joins:
        columns = tuple(sorted(named.used[prefix] | {str(one["by"])}))
        tables[prefix] = Csv(str(one["table"]), columns, unique=(str(one["by"]),))
    if (kind := given.get("date_kind")) not in (None, *_KINDS):
        raise invalid(f"date_kind is one of {', '.join(_KINDS)}")
    return Layout(
        name=MAP, title="a column map", terms="as its user states", marks=(), tables=tables, joined=joined,
        films=tuple(given.get("films") or LAYOUTS["auto"]), select=select, key=lambda name: name,
        keys=lambda name: (name, basename(name), stem(name)), labels=tuple(labels), reports=told,
        keep_ids=bool(given.get("keep_ids", False)), date_kind=kind, constants=dict(given.get("constants", {})),
    )  # fmt: skip


class _Columns:
    """Columns as the map writes them, as SQL; and which tables they are of."""

    def __init__(self, tables: set[str]) -> None:
        self.used: dict[str, set[str]] = {table: set() for table in tables}

    def of(self, column: object) -> tuple[str, str]:
        """(table, column): ``lab.edema`` where `lab` is a joined table's prefix, else a column of the first table."""
        prefix, dot, rest = str(column).partition(".")
        table, name = (prefix, rest) if dot and prefix in self.used else ("films", str(column))
        self.used[table].add(name)
        return table, name

    def sql(self, column: object) -> str:
        table, name = self.of(column)
        return f'"{table}"."{name.replace(chr(34), chr(34) * 2)}"'


def _labels(one: Mapping[str, Any], named: _Columns) -> Wide | Listed:
    source, level = str(one.get("source", "table")), str(one.get("level", "image"))
    if level not in ("image", "study"):
        raise invalid("a label's level is image or study")
    if "listed" in one:
        return Listed(named.sql(one["listed"]), source, tuple(one.get("universe", ())),
                      str(one.get("separator", "|")), str(one.get("nothing", "No Finding")), level)  # fmt: skip
    places = {str(finding): named.of(column) for finding, column in one["columns"].items()}
    if len(tables := {table for table, _ in places.values()}) != 1:
        raise invalid("the columns of one group of labels stand in one table; make a group for each")
    return Wide(tables.pop(), source, {finding: column for finding, (_, column) in places.items()}, level)


def _joined(joins: Sequence[tuple[str, Mapping[str, Any]]], named: _Columns) -> str:
    pairs = [(prefix, named.sql(f"{prefix}.{one['by']}"), named.sql(one["by"])) for prefix, one in joins]
    return " ".join(f'LEFT JOIN "{prefix}" ON {theirs} = {ours}' for prefix, theirs, ours in pairs)


def _present(given: Mapping[str, Any], name: str) -> object:
    if not given.get(name):
        raise invalid(f"the column map needs {name}")
    return given[name]
