"""CSV that a spreadsheet can open without running what a dataset wrote into it.

A text that begins with ``= + - @`` (or their wide forms), a tab or a line break is taken for a formula by Excel and
LibreOffice (OWASP, CSV Injection); so is what follows a semicolon or a tab inside a cell where those separate columns.
Such places get an apostrophe before them. Numbers are written as numbers. Parquet has every text as it is.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO

import pyarrow as pa

from services.analytics.cohort.export.part import Part
from services.analytics.cohort.export.table import Content

_SPACE = r"[^\S\t\r\n]*"
_FORMULA = re.compile(rf"^(?={_SPACE}[\t\r\n])|(?:^|[;,|\t\r\n\"]){_SPACE}(?=[=+\-@＝＋－＠])")
_ROWS = 20_000


def parts(content: Content) -> Iterator[Part]:
    """films.csv, one row per film; labels.csv, one row per statement."""
    yield Part("films.csv", "one row per film", partial(_table, content, "films"))
    yield Part("labels.csv", "one row per statement of a source on a finding", partial(_table, content, "labels"))


def write(file: BinaryIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """RFC 4180 but for line ends, which are single; UTF-8; None and unknown numbers are empty, truths yes and no."""
    out = io.TextIOWrapper(file, "utf-8", newline="", write_through=False)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([safe(name) for name in header])
    for row in rows:
        writer.writerow([cell(value) for value in row])
    out.flush()
    out.detach()


def cell(value: object) -> object:
    """A value as it is written."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe(value) if isinstance(value, str) else value


def safe(text: str) -> str:
    """The text, with an apostrophe wherever a spreadsheet could see a formula begin."""
    return _FORMULA.sub(r"\g<0>'", text.replace("\0", " ")) if text else text


def _table(content: Content, name: str, file: BinaryIO) -> None:
    table: pa.Table = getattr(content, name)

    def rows() -> Iterator[tuple[object, ...]]:
        for batch in table.to_batches(max_chunksize=_ROWS):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    write(file, table.column_names, rows())
