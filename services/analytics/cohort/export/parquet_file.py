"""Parquet: every text as it is, every number with its type, and in the file's own metadata which cohort it is of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

import pyarrow.parquet as pq

from services.analytics.cohort.export.part import Part
from services.analytics.cohort.export.table import Content


def parts(content: Content) -> Iterator[Part]:
    """films.parquet and labels.parquet, of the same rows as the CSV."""
    yield Part("films.parquet", "one row per film", partial(_write, content, "films"))
    yield Part("labels.parquet", "one row per statement of a source on a finding", partial(_write, content, "labels"))


def _write(content: Content, name: str, file: BinaryIO) -> None:
    told = {"hilum.cohort": content.frozen.name, "hilum.ids_sha256": content.frozen.ids_sha256}
    pq.write_table(getattr(content, name).replace_schema_metadata(told), file, compression="zstd")
