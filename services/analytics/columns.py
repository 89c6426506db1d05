"""Facts as columns: what a select finds, as Arrow, by the fastest road that the database has.

    for batch in columns.batches(facts, select(images.c.image_id, images.c.age).where(to_sql(expr))): …

From PostgreSQL by COPY. From SQLite by its ADBC driver, in a process of its own (`columns_sqlite`): a second copy of
SQLite in one process takes the first one's locks when it closes a file (sqlite.org/howtocorrupt.html, 2.2.1).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv
from sqlalchemy import Boolean, Float, Integer, Select

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts


def read(facts: Facts, query: Select[Any]) -> pa.Table:
    """All of it at once; see `batches`."""
    return pa.Table.from_batches(batches(facts, query), schema(query))


def schema(query: Select[Any]) -> pa.Schema:
    """Names and types of what a select gives: string, float64, int64 or bool."""
    return pa.schema([pa.field(column.name, _type(column.type)) for column in query.selected_columns])


def batches(facts: Facts, query: Select[Any]) -> Iterator[pa.RecordBatch]:
    """What `query` finds, some ten thousand rows at a time, in the types of `schema`. Raises UNAVAILABLE."""
    wanted = schema(query)
    sql, given = _compiled(facts, query)
    found = _copied(facts, sql, given, wanted) if facts.shared else _from_sqlite(facts, sql, given, wanted)
    for batch in found:
        if batch.num_rows:
            yield batch


def _compiled(facts: Facts, query: Select[Any]) -> tuple[str, list[Any] | dict[str, Any]]:
    """Statement and parameters as the database's driver takes them."""
    dialect = facts.engine.dialect
    compiled = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    given: dict[str, Any] = {}
    for name, value in compiled.params.items():
        bound = compiled.binds.get(name)
        ready = bound.type.dialect_impl(dialect).bind_processor(dialect) if bound is not None else None
        given[name] = ready(value) if ready else value
    order = getattr(compiled, "positiontup", None)
    return str(compiled), [given[name] for name in order] if order is not None else given


def _from_sqlite(facts: Facts, sql: str, given: Any, wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
    asked = {"file": facts.engine.url.database, "sql": sql, "given": given, "types": [str(t) for t in wanted.types]}
    child = subprocess.Popen(
        [sys.executable, "-m", "services.analytics.columns_sqlite"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(json.dumps(asked).encode())
        child.stdin.close()
        try:
            with pa.ipc.open_stream(child.stdout) as stream:
                for batch in stream:
                    yield pa.RecordBatch.from_arrays(batch.columns, schema=wanted)
        except pa.ArrowInvalid:
            raise _unavailable() from None
        if child.wait():
            raise _unavailable()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _copied(facts: Facts, sql: str, given: Any, wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
    with facts.read() as db:
        cursor = db.connection.cursor()
        with cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)", given) as copy:
            source = _Source(copy)
            if not source.fill(1):
                return
            reader = pyarrow.csv.open_csv(
                pa.PythonFile(source, mode="r"),
                read_options=pyarrow.csv.ReadOptions(column_names=wanted.names, block_size=1 << 20),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=wanted, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
                    true_values=["t"], false_values=["f"],
                ),
            )  # fmt: skip
            yield from reader


class _Source:
    """A file whose bytes come in pieces."""

    closed = False

    def __init__(self, pieces: Any) -> None:
        self._pieces, self._held = iter(pieces), bytearray()

    def fill(self, size: int) -> bool:
        """Is there more?"""
        while len(self._held) < size and (piece := next(self._pieces, None)) is not None:
            self._held += piece
        return bool(self._held)

    def read(self, size: int = -1) -> bytes:
        self.fill(size if size >= 0 else 1 << 62)
        size = len(self._held) if size < 0 else size
        part = bytes(self._held[:size])
        del self._held[:size]
        return part

    def close(self) -> None:
        pass


def _type(kind: Any) -> pa.DataType:
    for known, arrow in ((Boolean, pa.bool_()), (Float, pa.float64()), (Integer, pa.int64())):
        if isinstance(kind, known):
            return arrow
    return pa.string()


def _unavailable() -> HilumError:
    return HilumError(ErrorCode.UNAVAILABLE, "the database of facts does not answer; try again shortly")
