"""Vectors in a Parquet table: a column of lists of numbers, and one of names. Read some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources.arrays import BATCH_ROWS, NAMES, Rows

_BROKEN = (pa.ArrowException, OSError, ValueError, KeyError)


def read_parquet(path: Path, array: str = "", names: str = "") -> Iterator[Rows]:
    """Vectors with their names. array, names: columns, where they have names of their own. Raises BadFilm."""
    try:
        with pq.ParquetFile(path) as table:
            schema, first = table.schema_arrow, 0
            named = _only([n for n in ([names] if names else NAMES) if _is(schema, n, _text)][:1])
            chosen = _only([n for n in ([array] if array else schema.names) if _is(schema, n, _list)])
            for batch in table.iter_batches(BATCH_ROWS, columns=[named, chosen]):
                told = [str(name or "") for name in batch.column(named).to_pylist()]
                yield Rows(first, told, _arrays(batch.column(chosen)))
                first += len(told)
    except _BROKEN:
        raise BadFilm(Reason.BROKEN_VECTORS) from None


def count_parquet(path: Path, _names: str = "") -> int:
    """How many rows; 1 when it cannot be read."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except _BROKEN:
        return 1


def _arrays(column: Any) -> Sequence[NDArray[Any] | None]:
    """(D,) per row; None for a null. A null within a row becomes NaN, which is refused later."""
    values = column.flatten().to_numpy(zero_copy_only=False)
    lengths = [len(row) if row.is_valid else None for row in column]
    found, start = list[NDArray[Any] | None](), 0
    for length in lengths:
        found.append(None if length is None else values[start : start + length])
        start += length or 0
    return found


def _is(schema: pa.Schema, name: str, kind: Any) -> bool:
    return name in schema.names and kind(schema.field(name).type)


def _text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def _list(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and pa.types.is_floating(kind.value_type))


def _only(found: Sequence[str]) -> str:
    if len(found) != 1:
        raise BadFilm(Reason.NO_VECTORS)
    return found[0]
