"""Side tables in: CSV or Parquet whose cells are kept as they came, for films, studies or patients of a dataset.

Only the columns that the user names are read. Those that identify people by themselves are refused, and those that may
do so together with others (postcodes, dates of birth) must be named one by one: a pattern never takes them.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as pa_csv

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
_BLANK = pa.array(["", "nan", "null", "none", "na", "n/a", "<na>"])
_NUMBER = r"^[+-]?((0|[1-9][0-9]{0,17})(\.[0-9]{0,17})?|\.[0-9]{1,17})([eE][+-]?[0-9]{1,2})?$"  # 0123: a code
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
    try:
        titles = _header(plan.source)
        level, ids = _whose(plan, titles)
        kept, refused = _chosen(plan, titles, ids)
        read = _read(plan.source, [*dict.fromkeys([*ids, *kept])])
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error, StopIteration):
        raise invalid("the side table cannot be read; it needs CSV in UTF-8 with a header, or Parquet") from None
    keys = pc.binary_join_element_wise(*(_said(read.column(title)) for title in ids), "-")
    columns, cells = _kinds(read, kept, plan.text)
    table = SideTable(plan.dataset, plan.name, level, columns)
    sides.check(facts, table)
    rows = pa.table([keys, *cells], names=["", *(column.name for column in columns)]).filter(keys.is_valid())
    rows = _one_row_each(rows, level)
    who = _names(facts, secret, plan.dataset, level, rows.column(0))
    sides.clear(facts, plan.dataset, plan.name)
    done = taken = 0
    for part in rows.to_batches(_ROWS):
        named = {who(key): _cells(table, cells) for key, *cells in zip(*(c.to_pylist() for c in part), strict=True)}
        there = sides.known(facts, plan.dataset, level, named)
        if mine := [(key, row) for key, row in named.items() if key in there]:
            sides.add(facts, table, mine)
        done, taken = done + len(named), taken + len(mine)
        yield JobProgress("storing", done, rows.num_rows)
    if not taken:
        raise HilumError(
            ErrorCode.NOT_FOUND, f"no row belongs to a film: are the ids those of the dataset's {level} column?"
        )
    sides.finish(facts, table)
    yield Stored(replace(table, rows=taken), rows.num_rows - taken, refused)


def _header(source: Path) -> list[str]:
    if source.suffix.lower() == ".parquet":
        return list(pq.read_schema(source).names)
    with (gzip.open if source.suffix.lower() == ".gz" else open)(
        source, "rt", encoding="utf-8-sig", newline=""
    ) as file:
        return next(csv.reader(file))


def _read(source: Path, titles: list[str]) -> pa.Table:
    """These columns alone, all cells as text: a reader that guesses would take the zeros off codes."""
    if source.suffix.lower() == ".parquet":
        found = pq.read_table(source, columns=titles)
        return pa.table({title: found.column(title).cast(pa.string()) for title in titles})
    convert = pa_csv.ConvertOptions(include_columns=titles, column_types=dict.fromkeys(titles, pa.string()))
    return pa_csv.read_csv(
        source, parse_options=pa_csv.ParseOptions(newlines_in_values=True), convert_options=convert
    )  # fmt: skip


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


def _kinds(
    read: pa.Table, kept: Sequence[str], text: Sequence[str]
) -> tuple[tuple[SideColumn, ...], list[pa.ChunkedArray]]:
    """Columns and their cells. A column holds numbers when all its cells do."""
    insisted = {side_key(name) for name in text}
    columns, found = [], []
    for title in kept:
        name, said = side_key(title), _said(read.column(title))
        if (pc.max(pc.utf8_length(said)).as_py() or 0) > _LONGEST_CELL:
            raise invalid(f"column {name} has cells of more than {_LONGEST_CELL} characters: free text?")
        numbers = None if name in insisted else _numbers(said)
        columns.append(SideColumn(name, title, TEXT if numbers is None else NUMBER))
        found.append(said if numbers is None else numbers)
    return tuple(columns), found


def _said(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Trimmed; null where a cell says nothing."""
    trimmed = pc.utf8_trim_whitespace(cells)
    return pc.if_else(pc.is_in(pc.utf8_lower(trimmed), value_set=_BLANK), pa.scalar(None, pa.string()), trimmed)


def _numbers(said: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Cells as numbers; None where one is none, or all are blank."""
    if not pc.all(pc.match_substring_regex(said, _NUMBER), min_count=1).as_py():
        return None
    return pc.replace_substring_regex(said, r"^\+", "").cast(pa.float64())


def _one_row_each(rows: pa.Table, level: str) -> pa.Table:
    """Rows that say the same twice count once. Raises INVALID_ARGUMENT for an id of which two rows say different."""
    if pc.count_distinct(rows.column(0)).as_py() == rows.num_rows:
        return rows
    seen: dict[str, int] = {}
    first, differ = list[bool](), 0
    for part in rows.to_batches(_ROWS):
        for key, *cells in zip(*(column.to_pylist() for column in part), strict=True):
            digest = hash(tuple(cells))
            differ += seen.get(key, digest) != digest
            first.append(key not in seen)
            seen[key] = digest
    if differ:
        raise invalid(
            f"{differ} rows say something else of an id than another row does; a side table has one row per {level}"
        )
    return rows.filter(pa.array(first))


class _Names:
    """The archive's name of an id."""

    def __init__(self, who: Identities, level: str) -> None:
        self._who, self._level = who, level

    def __call__(self, key: str) -> str:
        return self._who.film(key) if self._level == "image" else self._who.person(self._level, key)


def _names(facts: Facts, secret: bytes, dataset: str, level: str, keys: pa.ChunkedArray) -> _Names:
    """Pseudonyms or the dataset's own ids, whichever the archive knows more of."""
    sample = keys.take(pa.array(range(0, len(keys), max(1, len(keys) // _ROWS)))).to_pylist()
    both = [_Names(Identities(dataset, secret, keep_ids), level) for keep_ids in (False, True)]
    return max(both, key=lambda names: len(sides.known(facts, dataset, level, map(names, sample))))


def _cells(table: SideTable, cells: Sequence[float | str | None]) -> Cells:
    found: dict[str, dict[str, float | str]] = {NUMBER: {}, TEXT: {}}
    for column, cell in zip(table.columns, cells, strict=True):
        if cell is not None:
            found[column.kind][column.name] = cell
    return found
