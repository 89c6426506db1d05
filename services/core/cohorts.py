"""Which films a cohort's run judged, beyond those that it chose: what forgetting a film must find."""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

VERDICTS, NEAR = "verdicts.parquet", "near@"


def judged(run: Path, ids: Collection[str]) -> int:
    """How many of these films a run has a verdict on."""
    path = run / VERDICTS
    if not path.is_file():
        return 0
    column = pq.read_table(path, columns=["image_id"])["image_id"]
    return int(pc.sum(pc.is_in(column, value_set=_raw(ids))).as_py() or 0)


def forget(run: Path, ids: Collection[str]) -> int:
    """Take them out, the file being written anew; how many there were."""
    found = judged(run, ids)
    if found:
        table = pq.read_table(run / VERDICTS)
        part = run / f".{VERDICTS}.part"
        pq.write_table(table.filter(pc.invert(pc.is_in(table["image_id"], value_set=_raw(ids)))), part)
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        part.replace(run / VERDICTS)
    return found


def _raw(ids: Collection[str]) -> pa.Array:
    return pa.array([uuid.UUID(image_id).bytes for image_id in sorted(ids)], pa.binary(16))
