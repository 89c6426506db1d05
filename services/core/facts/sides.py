"""Side tables: cells of films, studies or patients, kept as they came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, insert, not_, or_, select

from services.core.errors import ErrorCode, HilumError
from services.core.facts.db import Facts
from services.core.facts.schema import images, side_columns, side_rows
from services.core.filters.sql import LEVELS

NUMBER, TEXT = "number", "text"
_CHUNK = 500
Cells = Mapping[str, Mapping[str, float | str]]  # number and text → column → cell


@dataclass(frozen=True, slots=True)
class SideColumn:
    """A column: `name` as filters write it, `title` as the table spells it, `kind` number or text."""

    name: str
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class SideTable:
    """A side table of a dataset. level: whose cells they are, image, study or patient."""

    dataset: str
    name: str
    level: str
    columns: tuple[SideColumn, ...]
    rows: int = 0


def listed(facts: Facts) -> list[SideTable]:
    """Every side table, by dataset and name."""
    columns: dict[tuple[str, str, str], list[SideColumn]] = {}
    with facts.read() as db:
        counts = select(side_rows.c.dataset, side_rows.c.side, func.count()).group_by(
            side_rows.c.dataset, side_rows.c.side
        )
        rows = {(dataset, side): count for dataset, side, count in db.execute(counts)}
        c = side_columns.c
        query = select(c.dataset, c.side, c.level, c.name, c.title, c.kind).order_by(c.dataset, c.side, c.name)
        for dataset, side, level, *column in db.execute(query):
            columns.setdefault((dataset, side, level), []).append(SideColumn(*column))
    return [
        SideTable(dataset, side, level, tuple(found), rows.get((dataset, side), 0))
        for (dataset, side, level), found in columns.items()
    ]


def check(facts: Facts, table: SideTable) -> None:
    """One name means one thing in all datasets: raises ALREADY_EXISTS where another dataset's table of this name is of
    another level or has a column of another kind."""
    mine = {column.name: column.kind for column in table.columns}
    for other in listed(facts):
        if other.name != table.name or other.dataset == table.dataset:
            continue
        differs = other.level != table.level or any(mine.get(c.name, c.kind) != c.kind for c in other.columns)
        if differs:
            raise HilumError(
                ErrorCode.ALREADY_EXISTS,
                "another dataset has a side table of this name with another level or other kinds of cells; "
                "choose another name",
            )


def clear(facts: Facts, dataset: str, name: str) -> int:
    """Delete a table; how many rows it had. Its columns go first: filters do not see half a table."""
    mine = and_(side_columns.c.dataset == dataset, side_columns.c.side == name)
    with facts.write() as db:
        db.execute(delete(side_columns).where(mine))
        return db.execute(
            delete(side_rows).where(side_rows.c.dataset == dataset, side_rows.c.side == name)
        ).rowcount  # fmt: skip


def add(facts: Facts, table: SideTable, rows: Sequence[tuple[str, Cells]]) -> None:
    """Add rows, by the archive's own ids."""
    with facts.write() as db:
        db.execute(
            insert(side_rows),
            [
                {
                    "dataset": table.dataset,
                    "side": table.name,
                    "key": key,
                    "level": table.level,
                    "facts": {kind: dict(cells) for kind, cells in facts_.items()},
                }
                for key, facts_ in rows
            ],
        )


def finish(facts: Facts, table: SideTable) -> None:
    """Let filters see the table: all its rows are there."""
    common = {"dataset": table.dataset, "side": table.name, "level": table.level}
    with facts.write() as db:
        db.execute(
            insert(side_columns), [{**common, "name": c.name, "title": c.title, "kind": c.kind} for c in table.columns]
        )


def cells(facts: Facts, dataset: str, name: str, keys: Iterable[str]) -> dict[str, Cells]:
    """Key → cells, of those of `keys` that have a row in a table."""
    found, ids = dict[str, Cells](), sorted(keys)
    c = side_rows.c
    with facts.read() as db:
        for start in range(0, len(ids), _CHUNK):
            part = c.key.in_(ids[start : start + _CHUNK])
            query = select(c.key, c.facts).where(c.dataset == dataset, c.side == name, part)
            found.update(db.execute(query).tuples().all())
    return found


def known(facts: Facts, dataset: str, level: str, keys: Iterable[str]) -> set[str]:
    """Those of `keys` that films, studies or patients of the dataset have."""
    column, found, ids = LEVELS[level], set[str](), list(keys)
    with facts.read() as db:
        for start in range(0, len(ids), _CHUNK):
            part = column.in_(ids[start : start + _CHUNK])
            found.update(db.scalars(select(column).where(images.c.dataset == dataset, part).distinct()))
    return found


def strangers(dataset: str) -> ColumnElement[bool]:
    """Rows of a dataset of which there is no film (any more)."""
    parts = []
    for level, column in LEVELS.items():
        film = exists().where(images.c.dataset == side_rows.c.dataset, column == side_rows.c.key)
        parts.append(and_(side_rows.c.level == level, not_(film)))
    return and_(side_rows.c.dataset == dataset, or_(*parts))


def drop_strangers(db: Connection, dataset: str) -> int:
    """Delete the rows of which there is no film any more; how many there were."""
    return db.execute(delete(side_rows).where(strangers(dataset))).rowcount


def count_strangers(db: Connection, dataset: str) -> int:
    """How many rows have no film."""
    return db.scalar(select(func.count()).select_from(side_rows).where(strangers(dataset))) or 0
