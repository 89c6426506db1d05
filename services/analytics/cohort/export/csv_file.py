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
import pyarrow.compute as pc
import pyarrow.csv

from services.analytics.cohort.export.part import Part
from services.analytics.cohort.export.table import Content

_SPACE = r"[^\S\t\r\n]*"
_FORMULA = re.compile(rf"^(?={_SPACE}[\t\r\n])|(?:^|[;,|\t\r\n\"]){_SPACE}(?=[=+\-@＝＋－＠])")
# The same, and NUL, for a reader of expressions that cannot look ahead: it may say too much, never too little.
_BLANK = r"[\s\x0b\x1c-\x1f\x85\p{Z}]*"
_RISKY = rf"^{_BLANK}[\t\r\n]|(?:^|[;,|\t\r\n\"]){_BLANK}[=+\-@＝＋－＠]|\x00"
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
    """The same as `write`, column by column: millions of cells, few of which could be a formula."""
    table: pa.Table = getattr(content, name)
    ready = pa.table([column(values) for values in table.columns], names=[safe(one) for one in table.column_names])
    pyarrow.csv.write_csv(ready, file, pyarrow.csv.WriteOptions(quoting_style="needed", batch_size=_ROWS))


def column(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of a column as they are written."""
    if pa.types.is_boolean(values.type):
        return pc.if_else(values, "yes", "no")
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), None, values)
    if not pa.types.is_string(values.type):
        return values
    risky = pc.fill_null(pc.match_substring_regex(values, _RISKY), False)
    if not pc.any(risky).as_py():
        return values
    told = pa.array([safe(text) for text in values.filter(risky).to_pylist()], pa.string())
    return pc.replace_with_mask(values.combine_chunks(), risky.combine_chunks(), told)
