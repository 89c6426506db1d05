"""The tables of a layout, joined once by DuckDB into a scratch file and asked for a batch of films at a time.

Memory stays flat however long the tables are; nothing of them is kept when the job ends.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from services.core.errors import invalid
from services.core.labels import Box, Label, LabelState, label_key, label_state
from services.ingest import stated
from services.ingest.sources.files import matching
from services.ingest.sources.layout import MAP, Csv, Layout, Listed, Made, Said, StudyReports, Told, Wide
from services.ingest.sources.tables import Row
from services.ingest.stated import Stated

_READ: dict[str, Callable[[object], object]] = {
    "patient_id": lambda cell: stated.text(cell, 128),
    "study_id": lambda cell: stated.text(cell, 128),
    "series_id": lambda cell: stated.text(cell, 128),
    "accession_id": lambda cell: stated.text(cell, 128),
    "view": stated.view,
    "sex": stated.sex,
    "age": stated.age,
    "study_date": stated.date,
    "modality": stated.modality,
    "split": stated.split,
    "orientation": stated.orientation,
    "study_order": stated.order,
    "bits_stored": lambda cell: int(float(str(cell))),
    "pixel_spacing": lambda cell: float(str(cell)) or None,
    "age_binned": bool,
    "attribution": lambda cell: stated.text(cell, 2_000),
    "licence": lambda cell: stated.text(cell, 128),
}
_BLANK = ("", "none", "nan", "null", "na", "n/a", "<na>")


class JoinedRows:
    """What a layout's tables state, by the films' keys."""

    def __init__(self, layout: Layout, tables: Path, image_id: Callable[[str], str]) -> None:
        """tables: the folder that holds them. image_id: a film's key → its id. Raises INVALID_ARGUMENT."""
        self._layout, self._image_id = layout, image_id
        self._scratch = Path(tempfile.mkdtemp(prefix="hilum-tables-"))
        self._db = duckdb.connect(str(self._scratch / "rows.duckdb"))
        self._has_ids = False
        self._lock = threading.Lock()  # films of a batch are looked up from several threads
        try:
            self._db.execute("SET enable_progress_bar = false")
            for name, table in layout.tables.items():
                if isinstance(table, Made):
                    self._fill(name, table, tables)
                else:
                    self._load(name, table, tables)
            for name, query in layout.views.items():
                self._db.execute(f'CREATE VIEW "{name}" AS {query}')
            self._join()
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException):  # the layout is wrong
            self.close()
            raise
        except duckdb.Error as error:
            self.close()
            raise invalid(f"the tables of {layout.name} cannot be read: {_said(error)}") from None
        except Exception:
            self.close()
            raise
        self.rows: int = self._db.execute("SELECT count(key) FROM canonical").fetchone()[0]  # type: ignore[index]

    def find(self, names: Sequence[str], uids: Sequence[str | None] = ()) -> list[Row | None]:
        """The row of each film, by its path below the source; by SOPInstanceUID where a path names none."""
        spell = self._layout.keys or (lambda name: (self._layout.key(name),))
        told = [
            name.encode("utf-8", "backslashreplace").decode() for name in names
        ]  # tables are UTF-8, names need not be
        spellings = [(*spell(name), uid) for name, uid in zip(told, uids or [None] * len(names), strict=True)]
        found = self._by_key({key for keys in spellings for key in keys if key})
        return [next((found[key] for key in keys if key in found), None) for keys in spellings]

    def of(self, image_ids: Sequence[str]) -> list[Row | None]:
        """The row of each stored film by its id, for films whose files have been renamed."""
        query = "SELECT image_id, key FROM ids WHERE image_id IN (SELECT unnest(?))"
        with self._lock:
            if not self._has_ids:
                self._number()
            keys = dict(self._db.execute(query, [list(image_ids)]).fetchall())
        found = self._by_key(set(keys.values()))
        return [found.get(keys.get(image_id, "")) for image_id in image_ids]

    def findings(self) -> set[str]:
        """Every finding that some column or list of the tables may speak of, as label keys."""
        names = {name for labels in self._layout.labels if isinstance(labels, Wide) for name in labels.columns}
        for number, labels in enumerate(self._layout.labels):
            if isinstance(labels, Listed):
                query = f"SELECT DISTINCT unnest(string_split(labels_{number}, ?)) FROM canonical"
                names |= {name for (name,) in self._db.execute(query, [labels.separator]).fetchall() if name}
            elif isinstance(labels, Said):
                query = f"SELECT DISTINCT unnest(labels_{number}).name FROM canonical"
                names |= {name for (name,) in self._db.execute(query).fetchall() if name}
        return {key for name in names if (key := label_key(name)[:64])}

    def reports(self) -> StudyReports:
        """Each study once, with the sections of its report, blank ones left out, as the layout's table tells them."""
        told = self._layout.reports
        if not isinstance(told, Told):
            return
        texts = ", ".join(f"{text} AS {section}" for section, text in told.sections.items())
        reader = self._db.cursor().execute(
            f"SELECT DISTINCT ON (study) {told.study} AS study, {texts} FROM {told.table}"
        )
        while rows := reader.fetchmany(1_000):
            for study, *cells in rows:
                pairs = zip(told.sections, cells, strict=True)
                sections = {name: cell.strip() for name, cell in pairs if _read("report", cell) is not None}
                if study and sections:
                    yield str(study), sections

    def close(self) -> None:
        self._db.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _load(self, name: str, table: Csv, folder: Path) -> None:
        """One table into the scratch file, every cell as text."""
        paths = sorted(str(path) for glob in _globs(table.glob) for path in matching(folder, glob) if path.is_file())
        if not paths:
            if table.required:
                raise invalid(_missing(self._layout, name, table))
            columns = ", ".join(f'"{column}" VARCHAR' for column in table.columns)
            self._db.execute(f'CREATE TABLE "{name}" ({columns})')
            return
        settings: dict[str, Any] = {"all_varchar": True, "header": True, "delim": table.separator, "quote": '"',
                                    "escape": '"', "max_line_size": 64 * 2**20, "parallel": False,
                                    "union_by_name": True}  # fmt: skip
        if table.names:
            settings |= {"header": False, "skip": int(table.header), "names": list(table.names)}
        if paths[0].endswith(".parquet"):
            columns = _texts(table.columns)
            self._db.execute(f'CREATE TABLE "{name}" AS SELECT {columns} FROM read_parquet($paths)', {"paths": paths})
            return self._collapse(name, table)
        given = ", ".join(f"{key} = ${key}" for key in settings)
        if table.json:
            self._db.execute(
                f'CREATE TABLE "{name}" AS SELECT {_texts(table.columns)} FROM read_ndjson($paths)', {"paths": paths}
            )
        else:
            self._db.execute(
                f'CREATE TABLE "{name}" AS SELECT * FROM read_csv($paths, {given})', {"paths": paths, **settings}
            )
        have = {row[0] for row in self._db.execute(f'DESCRIBE "{name}"').fetchall()}
        if missing := [column for column in table.columns if column not in have]:
            said = f"the map's table {name}" if self._layout.name == MAP else Path(table.glob).name
            raise invalid(f"{said} lacks the columns {', '.join(missing)}; is it another release?")
        self._collapse(name, table)

    def _fill(self, name: str, table: Made, folder: Path) -> None:
        columns = ", ".join(f'"{column}" VARCHAR' for column in table.columns)
        self._db.execute(f'CREATE TABLE "{name}" ({columns})')
        rows = table.rows(folder)
        while batch := list(islice(rows, 5_000)):
            cells = [[row.get(column) for row in batch] for column in table.columns]
            self._db.execute(f'INSERT INTO "{name}" SELECT {", ".join("unnest(?)" for _ in cells)}', cells)

    def _collapse(self, name: str, table: Csv) -> None:
        """A row that stands twice counts once; two different rows of one name would double films, and are refused."""
        if not table.unique:
            return
        if table.distinct:
            self._db.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT DISTINCT * FROM "{name}"')
        keys = ", ".join(f'"{column}"' for column in table.unique)
        twice = self._db.execute(f'SELECT count(*) FROM (SELECT 1 FROM "{name}" GROUP BY {keys} HAVING count(*) > 1)')
        if count := twice.fetchone()[0]:  # type: ignore[index]
            raise invalid(
                f"{Path(table.glob).name} names {count} rows twice by {', '.join(table.unique)}; it must state one each"
            )

    def _join(self) -> None:
        layout = self._layout
        columns = [f"{expression} AS {name}" for name, expression in layout.select.items()]
        for number, labels in enumerate(layout.labels):
            if isinstance(labels, Wide):
                cells = ", ".join(f"'{name}': {labels.table}.\"{column}\"" for name, column in labels.columns.items())
                columns.append(f"MAP {{{cells}}} AS labels_{number}")
            else:
                columns.append(f"{labels.expression} AS labels_{number}")
        if layout.boxes:
            columns.append(f"{layout.boxes} AS boxes")
        self._db.execute(f"CREATE TABLE canonical AS SELECT {', '.join(columns)} FROM {layout.joined}")
        twice = self._db.execute(
            "SELECT count(*) - count(DISTINCT key) FROM canonical WHERE key IS NOT NULL"
        ).fetchone()
        if twice and twice[0]:
            raise invalid(f"the tables of {layout.name} state {twice[0]} films more than once; they must not")
        self._db.execute("CREATE UNIQUE INDEX canonical_by_key ON canonical (key)")

    def _number(self) -> None:
        self._db.execute("CREATE TABLE ids (image_id VARCHAR PRIMARY KEY, key VARCHAR)")
        reader = self._db.cursor().execute("SELECT key FROM canonical WHERE key IS NOT NULL")
        while keys := reader.fetchmany(10_000):
            rows = [[self._image_id(key) for (key,) in keys], [key for (key,) in keys]]
            self._db.execute("INSERT INTO ids SELECT unnest(?), unnest(?)", rows)
        self._has_ids = True

    def _by_key(self, keys: set[str]) -> dict[str, Row]:
        if not keys:
            return {}
        with self._lock:
            answer = self._db.execute("SELECT * FROM canonical WHERE key IN (SELECT unnest(?))", [sorted(keys)])
            names, rows = [column[0] for column in answer.description or ()], answer.fetchall()
        return {row["key"]: self._row(row) for row in (dict(zip(names, cells, strict=True)) for cells in rows)}

    def _row(self, cells: Mapping[str, Any]) -> Row:
        values: dict[str, object] = dict(self._layout.constants)
        if self._layout.date_kind:
            values["date_kind"] = self._layout.date_kind
        for name in self._layout.select:
            if name != "key" and (value := _read(name, cells[name])) is not None:
                values[name] = value
        if "view" in values:
            values.setdefault("view_source", "stated")
        if self._layout.labels:
            values["labels"] = tuple(self._labels(cells))
        if self._layout.boxes:
            values["boxes"] = tuple(
                Box(label_key(box["name"])[:64], box["x"], box["y"], box["width"], box["height"], self._layout.name)
                for box in cells["boxes"] or ()
            )
        return Row(Stated(**values), str(cells["key"]))  # type: ignore[arg-type]

    def _labels(self, cells: Mapping[str, Any]) -> Iterator[Label]:
        for number, labels in enumerate(self._layout.labels):
            said = cells[f"labels_{number}"]
            if said is None:
                continue
            if isinstance(labels, Listed):
                yield from _listed(labels, said)
                continue
            pairs = said.items() if isinstance(labels, Wide) else ((one["name"], one["state"]) for one in said)
            scores = {} if isinstance(labels, Wide) else {one["name"]: one["score"] for one in said}
            for name, value in pairs:
                state = label_state(value)
                if state is not None and state is not LabelState.UNKNOWN:
                    yield Label(label_key(name)[:64], state, labels.source, labels.level, score=scores.get(name))


def _texts(columns: Sequence[str]) -> str:
    return ", ".join(f'CAST("{column}" AS VARCHAR) AS "{column}"' for column in columns)


def _globs(glob: str) -> tuple[str, ...]:
    """A table may lie there compressed."""
    return (glob,) if glob.endswith(".gz") else (glob, f"{glob}.gz")


def _listed(labels: Listed, cell: str) -> Iterator[Label]:
    names = [name.strip() for name in cell.split(labels.separator) if name.strip()]
    for name in names:
        yield Label(label_key(name)[:64], LabelState.PRESENT, labels.source, labels.level)
    for name in labels.universe:
        if names and name not in names:
            yield Label(label_key(name)[:64], LabelState.ABSENT, labels.source, labels.level, implicit=True)


def _read(name: str, cell: object) -> object:
    """A cell in its canonical form; None for every spelling of nothing and for what cannot be read."""
    if cell is None or str(cell).strip().lower() in _BLANK:
        return None
    try:
        return _READ.get(name, lambda value: stated.text(value, 64))(cell)
    except (ValueError, OverflowError):
        return None


def _missing(layout: Layout, name: str, table: Csv) -> str:
    """A publisher's file by its name; one that a user has named by its place in the map: names can name people."""
    if layout.name == MAP:
        return f"the map's table {name} is not where the map says; paths in it count from the source, or from tables"
    return f"the {layout.name} layout needs {Path(table.glob).name} beside its films"


def _said(error: duckdb.Error) -> str:
    """The first line of DuckDB's message without values of the table: those may name people."""
    kind = type(error).__name__.removesuffix("Exception")
    return f"{kind}; check that they are the publisher's own CSV files, complete and in UTF-8"
