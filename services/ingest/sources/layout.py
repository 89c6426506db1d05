"""What a published dataset looks like on disk, as data: its tables, how they join, and what their columns mean.

A layout is declared, not programmed: SQL expressions over its tables give one row per film, whose columns have the
names of the canonical record (`services.ingest.stated.Stated`). `joined` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Sections = Mapping[str, str]  # section → text
StudyReports = Iterator[tuple[str, Sections]]  # (the dataset's study id, its sections)


MAP = "map"  # the name of a layout that a user has described


@dataclass(frozen=True, slots=True)
class Csv:
    """One table, found by a glob below the folder of tables, plain or compressed with ``.gz`` behind its name.

    Every cell is text until a column's meaning reads it.
    columns: those that the layout uses; they must be there.
    names: the header to use instead of a damaged one, whose line is skipped (or of none, where `header` is false).
    required: without it the layout cannot be read; an optional one that is missing is an empty table.
    unique: columns that name a row; a join on them cannot fan out. A table that repeats them is refused.
    distinct: rows that are the same in every cell count once; a table of that many wide rows may say that it has none.
    """

    glob: str
    columns: tuple[str, ...]
    names: tuple[str, ...] = ()
    required: bool = True
    unique: tuple[str, ...] = ()
    separator: str = ","
    header: bool = True
    json: bool = False  # one object a line instead of CSV
    distinct: bool = True


@dataclass(frozen=True, slots=True)
class Made:
    """A table that stands in no CSV: `rows` reads it below a folder, one mapping of text per row."""

    rows: Callable[[Path], Iterator[Mapping[str, str | None]]]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wide:
    """One column per finding: 1, 0, -1 or blank. columns: finding → column of the table `table`."""

    table: str
    source: str
    columns: Mapping[str, str]
    level: str = "image"


@dataclass(frozen=True, slots=True)
class Listed:
    """A cell that lists findings. What is listed is present; of `universe` the rest is absent, implicitly.

    expression: SQL giving the cell.  nothing: the word for a normal film.
    """

    expression: str
    source: str
    universe: tuple[str, ...] = ()
    separator: str = "|"
    nothing: str = "No Finding"
    level: str = "image"


@dataclass(frozen=True, slots=True)
class Said:
    """SQL giving ``LIST(STRUCT(name, state, score))`` per film: votes of readers, probabilities."""

    expression: str
    source: str
    level: str = "image"


@dataclass(frozen=True, slots=True)
class Told:
    """Reports that stand in a table.

    study: SQL for the study's id, as `Layout.select` has it.  sections: section → SQL.
    """

    table: str
    study: str
    sections: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """One dataset's layout.

    films: endings of its films.  marks: globs that all match below a source that has this layout.
    views: name → SELECT over the tables, made before the join.  joined: the FROM clause over tables and views.
    select: canonical name → SQL expression; ``key`` is the dataset's own key of a film.
    key: path of a film below the source → that key.  keys: the same where it may stand there in several spellings.
    boxes: SQL giving ``LIST(STRUCT(name, x, y, width, height))``.
    reports: a table of them, or what reads their files below a folder.
    keep_ids: the publisher has de-identified it, so its ids and dates may stay.  date_kind: what its dates are.
    """

    name: str
    title: str
    terms: str
    films: tuple[str, ...]
    marks: tuple[str, ...]
    tables: Mapping[str, Csv | Made]
    joined: str
    select: Mapping[str, str]
    key: Callable[[str], str]
    labels: tuple[Wide | Listed | Said, ...] = ()
    boxes: str = ""
    reports: Told | Callable[[Path], StudyReports] | None = None
    keep_ids: bool = True
    date_kind: str | None = None
    views: Mapping[str, str] = field(default_factory=dict)
    keys: Callable[[str], tuple[str, ...]] | None = None
    constants: Mapping[str, str] = field(default_factory=dict)  # canonical name → what holds for every film


def stem(name: str) -> str:
    """``files/p10/…/abc.jpg`` → ``abc``."""
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def basename(name: str) -> str:
    """``images_001/images/00000001_000.png`` → ``00000001_000.png``."""
    return name.rsplit("/", 1)[-1]
