"""Side tables: each column's numbers or words, and how many rows say nothing. DuckDB reads the cells, all of a part of
the rows at once; only rows of the films looked at count."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from services.analytics import columns
from services.analytics.bench import Once, plainly
from services.analytics.frame import Frame
from services.analytics.progress import Progress
from services.core.facts import Facts, sides
from services.core.facts.schema import side_rows
from services.core.facts.sides import NUMBER, SideColumn, SideTable

_VALUES = 20  # words kept of a column, the commonest
_AT_ONCE = 64  # columns in one statement


@dataclass(frozen=True)
class Cells:
    """A column. stated: rows that have a cell.  numbers: mean, sd, least, quartiles, most; words: the commonest with
    their rows; the other is None or empty."""

    column: SideColumn
    stated: int
    distinct: int
    numbers: tuple[float, ...] | None = None
    words: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Side:
    """A side table. rows: of the films looked at.  keys: films, studies or patients looked at that could have one."""

    table: SideTable
    rows: int
    keys: int
    cells: list[Cells]


def every(facts: Facts, frame: Frame, scratch: Path, progress: Progress, once: Once = plainly) -> Iterator[Side]:
    """Each table with a row of one of the films. scratch: a folder for what does not fit in memory.  once: of the
    bench; whoever replaces a table drops what is kept (`core.attempts`)."""
    for table in sides.listed(facts):
        keys = _keys(frame, table)
        if len(keys):
            look = partial(_look, facts, table, keys, scratch, progress)
            yield once(f"side table {table.dataset}/{table.name}", look, table)
            shutil.rmtree(scratch, ignore_errors=True)


def _keys(frame: Frame, table: SideTable) -> pa.Array:
    mine = frame.table.filter(pc.equal(pc.cast(frame.table["dataset"], pa.string()), table.dataset))
    return pc.drop_null(pc.unique(mine[f"{table.level}_id"]))


def _look(facts: Facts, table: SideTable, keys: pa.Array, scratch: Path, progress: Progress) -> Side:
    stage = f"side table {table.name}"
    query = select(side_rows.c.key, side_rows.c.facts)
    query = query.where(side_rows.c.dataset == table.dataset, side_rows.c.side == table.name)
    progress(stage, 0, table.rows)
    with duckdb.connect(config={"temp_directory": str(scratch), "preserve_insertion_order": False}) as db:
        db.register("keys", pa.table({"key": keys}))
        db.execute(f"CREATE TABLE cells ({', '.join(f'{_name(c)} {_kind(c)}' for c in table.columns)})")
        form = {kind: {c.name: _kind(c) for c in table.columns if c.kind == kind} for kind in ("number", "text")}
        picked = ", ".join(f"cell.{c.kind}.{_name(c)}" for c in table.columns)
        done = 0
        for batch in columns.batches(facts, query):
            db.register("part", pa.Table.from_batches([batch]))
            db.execute(
                f"INSERT INTO cells SELECT {picked} FROM (SELECT from_json(facts, {_form(form)}) AS cell FROM part"
                " SEMI JOIN keys USING (key))"
            )
            done += batch.num_rows
            progress(stage, done, max(table.rows, done))
        rows = db.execute("SELECT count(*) FROM cells").fetchall()[0][0]
        found = {c.name: cells for cells in [*_numbers(db, table), *_words(db, table)] for c in [cells.column]}
    return Side(table, int(rows), len(keys), [found[c.name] for c in table.columns])


def _numbers(db: duckdb.DuckDBPyConnection, table: SideTable) -> Iterator[Cells]:
    wanted = [c for c in table.columns if c.kind == NUMBER]
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        asked = ", ".join(
            f"count({n}), count(DISTINCT {n}), avg({n}), stddev_samp({n}),"
            f" quantile_cont({n}, [0.0, 0.25, 0.5, 0.75, 1.0])"
            for n in map(_name, part)
        )
        answer = db.execute(f"SELECT {asked} FROM cells").fetchall()[0]
        for place, column in enumerate(part):
            stated, distinct, mean, sd, quartiles = answer[5 * place : 5 * place + 5]
            spread = (mean, float("nan") if sd is None else sd, *quartiles) if stated else None
            yield Cells(column, stated, distinct, spread)


def _words(db: duckdb.DuckDBPyConnection, table: SideTable) -> Iterator[Cells]:
    for column in table.columns:
        if column.kind == NUMBER:
            continue
        name = _name(column)
        stated, distinct = db.execute(f"SELECT count({name}), count(DISTINCT {name}) FROM cells").fetchall()[0]
        common = db.execute(
            f"SELECT {name}, count(*) AS n FROM cells WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1"
            f" LIMIT {_VALUES}"
        ).fetchall()
        yield Cells(column, stated, distinct, words=tuple(common))


def _name(column: SideColumn) -> str:
    return '"' + column.name.replace('"', '""') + '"'


def _kind(column: SideColumn) -> str:
    return "DOUBLE" if column.kind == NUMBER else "VARCHAR"


def _form(form: dict[str, dict[str, str]]) -> str:
    """What cells look like, for ``from_json``."""
    parts = []
    for kind, names in form.items():
        if names:
            inside = ", ".join(f'"{name}": "{sort}"' for name, sort in names.items())
            parts.append(f'"{kind}": {{{inside}}}')
    return "'{" + ", ".join(parts).replace("'", "''") + "}'"
