"""The clusters of a finished analysis, as its folder has them: a column per resolution in ``map-<model>.parquet``."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.core.errors import ErrorCode, HilumError

_COLUMN = "cluster@"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Films that a run put together."""

    run_id: str
    model: str
    resolution: float
    number: int
    films: tuple[str, ...]

    @property
    def name(self) -> str:
        """As filters write it."""
        return f"{self.run_id}/{self.model}/{self.resolution:g}/{self.number}"


def read(runs: Path, run_id: str, model: str = "", resolution: float = 0.0) -> Iterator[Cluster]:
    """Every cluster of a run, or of one model and resolution of it. Raises NOT_FOUND."""
    found = False
    for path in sorted(_folder(runs, run_id).glob("map-*.parquet")):
        name = path.stem.removeprefix("map-")
        if model in ("", name):
            for cluster in _of(path, str(uuid.UUID(run_id)), name, resolution):
                found = True
                yield cluster
    if not found:
        raise HilumError(ErrorCode.NOT_FOUND, "the run has no clusters of this model and resolution; see its manifest")


def _of(path: Path, run_id: str, model: str, resolution: float) -> Iterator[Cluster]:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        raise HilumError(ErrorCode.INTERNAL, "the run's files are damaged; run the analysis again") from None
    ids = table.column("image_id").to_pylist()
    for column in table.column_names:
        if not column.startswith(_COLUMN) or resolution not in (0.0, float(column.removeprefix(_COLUMN))):
            continue
        members = table.column(column).to_numpy()
        order = np.argsort(members, kind="stable")
        numbers, starts = np.unique(members[order], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            if number >= 0:
                films = tuple(ids[row] for row in rows)
                yield Cluster(run_id, model, float(column.removeprefix(_COLUMN)), int(number), films)


def _folder(runs: Path, run_id: str) -> Path:
    try:
        path = runs / str(uuid.UUID(run_id))
    except ValueError:
        path = None
    if path is None or not (path / "manifest.json").is_file():
        raise HilumError(ErrorCode.NOT_FOUND, "no such run, or it is not finished; `hilum analyze list` shows them")
    return path
