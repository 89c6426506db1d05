"""Side tables in: CSV or Parquet whose cells are kept as they came, for films, studies or patients of a dataset.

Only the columns that the user names are read. Those that identify people by themselves are refused, and those that may
do so together with others (postcodes, dates of birth) must be named one by one: a pattern never takes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import isfinite
from pathlib import Path

import duckdb

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, sides
from services.core.facts.sides import NUMBER, TEXT, Cells, SideColumn, SideTable
from services.core.filters.fields import side_key
from services.core.filters.sql import LEVELS
from services.core.types import JobProgress
from services.ingest.records import Identities
from services.ingest.sources.tables import mapped_columns

_ROWS = 2_000
_MOST_COLUMNS = 2_000
_LONGEST_CELL = 200
_LONGEST_NUMBER = 30
_BLANK = "('', 'nan', 'null', 'none', 'na', 'n/a', '<na>')"
_NUMBER = r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"  # a leading zero is a code's
_KEYS = {"key": "image", "study_id": "study", "patient_id": "patient"}
_DIRECT = re.compile(
    r"(^|_)(name|surname|initials|mrn|ssn|social_security|phone|telephone|mobile|fax|email|e_mail|address|street|"
    r"latitude|longitude|lat|lon|lng|geocode|url|ip|beneficiary|account|passport|licen[cs]e_(no|number)|plate|vin|"
    r"fingerprint|photo|empi|accession|dob|birth|birthdate|comment|comments|note|notes|free_text)s?($|_)|(first|last|middle|maiden|patient)name"
)
_INDIRECT = re.compile(
    r"(^|_)(zip|zip5|zip9|zip_code|zipcode|postcode|postal|fips|geoid|tract|block|county|city|town|death|"
    r"id|uid)s?($|_)"
)


@dataclass(frozen=True, slots=True)
class SidePlan:
    """What to store. key: the column or columns of ids, blank to go by their names. text: columns that hold text
    though they look like numbers."""

    source: Path
    dataset: str
    name: str
    columns: tuple[str, ...]
    level: str = ""
    key: tuple[str, ...] = ()
    text: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", self.name):
            raise invalid("the name of a side table has a-z, 0-9 and '_', at most 32 characters, and begins with a-z")
        if set("*?[{") & set(str(self.source)):
            raise invalid("the path of a side table has no '*', '?', '[' or '{'; rename the file")
        if not self.columns:
            raise invalid("name the columns to keep, as in --columns 'adi_*,income'; '*' is every column")
        if self.level not in ("", *LEVELS):
            raise invalid(f"level is one of {', '.join(LEVELS)}")
        if self.key and not self.level:
            raise invalid(f"a column of ids needs its level: {', '.join(LEVELS)}")


@dataclass(frozen=True, slots=True)
class Stored:
    """strangers: rows of which the archive has no film.  refused: columns left out because they identify people."""

    table: SideTable
    strangers: int
    refused: tuple[str, ...]


def store(facts: Facts, secret: bytes, plan: SidePlan) -> Iterator[JobProgress | Stored]:
    """Replace a side table by what a file says today; interrupted, the same call again completes it.

    Ids become what the archive calls its films, studies and patients: whether it keeps the dataset's own ids is told by
    which of the two it knows. Raises INVALID_ARGUMENT, NOT_FOUND where no row belongs to a film.
    """
    yield JobProgress("reading the table")
    with duckdb.connect() as db:
        try:
            db.execute("SET enable_progress_bar = false")
            _open(db, plan.source)
            titles = [row[0] for row in db.execute("DESCRIBE cells").fetchall()]
            level, keys = _whose(plan, titles)
            kept, refused = _chosen(plan, titles, keys)
            table = SideTable(plan.dataset, plan.name, level, _kinds(db, kept, plan.text))
            sides.check(facts, table)
            total = _one_row_each(db, keys, table)
        except duckdb.Error:
            raise invalid("the side table cannot be read; it needs CSV in UTF-8 with a header, or Parquet") from None
        who = _names(facts, secret, plan.dataset, level, db)
        sides.clear(facts, plan.dataset, plan.name)
        done = taken = 0
        rows = db.execute("SELECT * FROM one_each")
        while part := rows.fetchmany(_ROWS):
            named = {who(str(key)): _cells(table, cells) for key, *cells in part}
            there = sides.known(facts, plan.dataset, level, named)
            if mine := [(key, cells) for key, cells in named.items() if key in there]:
                sides.add(facts, table, mine)
            done, taken = done + len(part), taken + len(mine)
            yield JobProgress("storing", done, total)
    if not taken:
        raise HilumError(
            ErrorCode.NOT_FOUND, f"no row belongs to a film: are the ids those of the dataset's {level} column?"
        )
    sides.finish(facts, table)
    yield Stored(replace(table, rows=taken), total - taken, refused)


def _open(db: duckdb.DuckDBPyConnection, source: Path) -> None:
    """All cells as text: a reader that guesses would take the zeros off codes."""
    if source.suffix.lower() == ".parquet":
        db.execute(f"CREATE VIEW cells AS SELECT COLUMNS(*)::VARCHAR FROM read_parquet({_quoted(source)})")
    else:
        db.execute(
            f"CREATE TABLE cells AS SELECT * FROM read_csv({_quoted(source)}, all_varchar = true, header = true)"
        )


def _whose(plan: SidePlan, titles: Sequence[str]) -> tuple[str, list[str]]:
    """Level, and the table's columns of ids."""
    by_name = {title.lower(): title for title in titles}
    if plan.key:
        if missing := [key for key in plan.key if key.lower() not in by_name]:
            raise invalid(f"the side table has no column of ids of this name ({len(missing)} of {len(plan.key)})")
        return plan.level, [by_name[key.lower()] for key in plan.key]
    found = {_KEYS[ours]: column for ours, column in mapped_columns(titles).items() if ours in _KEYS}
    for level in (plan.level,) if plan.level else LEVELS:
        if level in found:
            return level, [found[level]]
    raise invalid("the side table needs a column of ids: image_id, study_id, patient_id, or name it by --key")


def _chosen(plan: SidePlan, titles: Sequence[str], keys: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Columns to keep, and those that a pattern named but that identify people."""
    kept, refused, names = list[str](), list[str](), {side_key(title): title for title in titles}
    if len(names) < len(titles):
        raise invalid("two columns of the side table have one name once signs and capitals are left out; rename one")
    for asked in plan.columns:
        pattern = asked.strip().lower()
        exact = [title for name, title in names.items() if pattern == name or pattern == title.lower()]
        found = exact or [title for name, title in names.items() if fnmatchcase(name, pattern)]
        if not found:
            raise invalid("the side table has no column of a name that was asked for; check --columns")
        for title in found:
            name = side_key(title)
            if not name:
                raise invalid("a column of the side table has a name without letters or digits; rename it")
            if exact and _DIRECT.search(name):
                raise invalid(f"column {name} identifies people; side tables never hold such columns")
            if not exact and (title in keys or _DIRECT.search(name) or _INDIRECT.search(name)):
                refused.append(name)
            elif title not in kept:
                kept.append(title)
    if not kept:
        raise invalid("no column is left: those that were named identify people")
    if len(kept) > _MOST_COLUMNS:
        raise invalid(f"a side table has at most {_MOST_COLUMNS} columns")
    return kept, tuple(dict.fromkeys(refused))


def _kinds(db: duckdb.DuckDBPyConnection, kept: Sequence[str], text: Sequence[str]) -> tuple[SideColumn, ...]:
    """A column holds numbers when all its cells do; cells are trimmed, and blank ones are none."""
    said = {side_key(name) for name in text}
    trimmed = ", ".join(f"{_cell(title)} AS {_name(title)}" for title in kept)
    tests = ", ".join(
        f"count(*) FILTER (NOT regexp_full_match({c}, '{_NUMBER}')), max(len({c}))" for c in map(_name, kept)
    )
    found = db.execute(f"SELECT {tests} FROM (SELECT {trimmed} FROM cells)").fetchone() or ()
    columns = []
    for title, strange, longest in zip(kept, found[::2], found[1::2], strict=True):
        if longest and longest > _LONGEST_CELL:
            raise invalid(f"column {side_key(title)} has cells of more than {_LONGEST_CELL} characters: free text?")
        numbers = not strange and longest and longest <= _LONGEST_NUMBER and side_key(title) not in said
        columns.append(SideColumn(side_key(title), title, NUMBER if numbers else TEXT))
    return tuple(columns)


def _one_row_each(db: duckdb.DuckDBPyConnection, keys: Sequence[str], table: SideTable) -> int:
    """Make the view ``one_each`` of id and cells; how many rows. Raises INVALID_ARGUMENT for ids with two rows."""
    key = " || '-' || ".join(f"nullif(trim({_name(column)}), '')" for column in keys)
    cells = ", ".join(
        f"try_cast({_cell(c.title)} AS DOUBLE)" if c.kind == NUMBER else _cell(c.title) for c in table.columns
    )
    db.execute(f"CREATE TABLE one_each AS SELECT DISTINCT {key} AS the_key, {cells} FROM cells WHERE {key} IS NOT NULL")
    rows, ids = db.execute("SELECT count(*), count(DISTINCT the_key) FROM one_each").fetchone() or (0, 0)
    if rows > ids:
        raise invalid(
            f"{rows - ids} rows say something else of an id than another row does; a side table has one row per "
            f"{table.level}"
        )
    return int(rows)


class _Names:
    """The archive's name of an id."""

    def __init__(self, who: Identities, level: str) -> None:
        self._who, self._level = who, level

    def __call__(self, key: str) -> str:
        return self._who.film(key) if self._level == "image" else self._who.person(self._level, key)


def _names(facts: Facts, secret: bytes, dataset: str, level: str, db: duckdb.DuckDBPyConnection) -> _Names:
    """Pseudonyms or the dataset's own ids, whichever the archive knows more of."""
    sample = [str(key) for (key,) in db.execute("SELECT the_key FROM one_each ORDER BY hash(the_key)").fetchmany(_ROWS)]
    both = [_Names(Identities(dataset, secret, keep_ids), level) for keep_ids in (False, True)]
    return max(both, key=lambda names: len(sides.known(facts, dataset, level, map(names, sample))))


def _cells(table: SideTable, cells: Sequence[float | str | None]) -> Cells:
    found: dict[str, dict[str, float | str]] = {NUMBER: {}, TEXT: {}}
    for column, cell in zip(table.columns, cells, strict=True):
        if cell is not None and (isinstance(cell, str) or isfinite(cell)):
            found[column.kind][column.name] = cell
    return found


def _cell(title: str) -> str:
    """Trimmed; null where it says nothing."""
    text = f"trim({_name(title)})"
    return f"CASE WHEN lower({text}) NOT IN {_BLANK} THEN {text} END"


def _name(title: str) -> str:
    return '"' + title.replace('"', '""') + '"'


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
