"""The ids alone: what a filter, a paper's supplement or another installation needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from services.analytics.cohort.export.part import Part
from services.analytics.cohort.export.table import Content


def parts(content: Content) -> Iterator[Part]:
    """ids.txt: one image id per line, ascending."""

    def write(file: BinaryIO) -> None:
        for batch in content.frame.table["image_id"].chunks:
            file.write("".join(f"{image_id}\n" for image_id in batch.to_pylist()).encode())

    yield Part("ids.txt", "image ids, one per line", write)
