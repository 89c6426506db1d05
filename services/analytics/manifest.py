"""A run on disk: an immutable folder that says what was asked and what it was made of, enough to run it again.

    DATA/runs/<run_id>/  manifest.json  sample.parquet  metrics.json  report.html, and by kind
                         tables.json  <table>.parquet
                         knn-<model>.npz  map-<model>.parquet  atlas/<model>/{dataset.parquet,metadata.json}

Made in ``.part-<run_id>-…`` beside its place and renamed when all of it is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import shutil
import uuid
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from services.core.errors import ErrorCode, HilumError

if TYPE_CHECKING:
    from services.analytics.cluster import Partition
    from services.analytics.graph import Graph

FORMAT = 1
TYPES = {
    ".json": "application/json", ".parquet": "application/vnd.apache.parquet", ".npz": "application/octet-stream",
    ".html": "text/html", ".safetensors": "application/octet-stream",
}  # fmt: skip
PACKAGES = (
    "hilum",
    "numpy",
    "scipy",
    "scikit-learn",
    "cleanlab",
    "lifelines",
    "umap-learn",
    "pynndescent",
    "igraph",
    "leidenalg",
    "openTSNE",
    "embedding-atlas",
    "pyarrow",
)


def runs_dir(data_dir: Path) -> Path:
    return data_dir / "runs"


def folder(runs: Path, run_id: str) -> Path:
    """Where the finished run lies. Raises NOT_FOUND for what is no run id, or not (yet) there."""
    try:
        path = runs / str(uuid.UUID(run_id))
    except ValueError:
        path = None
    if path is None or not (path / "manifest.json").is_file():
        raise HilumError(
            ErrorCode.NOT_FOUND, "no such run, or it is not finished; `hilum analyze list` shows those there are"
        )
    return path


def files(runs: Path, run_id: str) -> list[str]:
    """Names of what a finished run may be asked for; none of a run whose folder is elsewhere."""
    try:
        home = folder(runs, run_id)
    except HilumError:
        return []
    return sorted(p.name for p in home.iterdir() if p.suffix in TYPES and p.is_file() and not p.is_symlink())


def file(runs: Path, run_id: str, name: str) -> Path:
    """A file of a finished run. Raises NOT_FOUND for anything that `files` does not name."""
    home = folder(runs, run_id)
    if name not in files(runs, run_id):
        raise HilumError(ErrorCode.NOT_FOUND, "the run has no such file; GetRun names those it has")
    return home / name


def begin(runs: Path, run_id: str) -> Path:
    """A fresh folder to work in; what an earlier attempt at this run left is removed."""
    discard(runs, run_id)
    part = runs / f".part-{run_id}-{secrets.token_hex(4)}"
    part.mkdir(parents=True)
    return part


def discard(runs: Path, run_id: str) -> None:
    """Remove what unfinished attempts at this run left."""
    for left in runs.glob(f".part-{uuid.UUID(run_id)}-*"):
        shutil.rmtree(left, ignore_errors=True)


def complete(part: Path, runs: Path, run_id: str) -> Path:
    """Put the finished folder in its place, durably and at once."""
    for path in part.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    final = runs / run_id
    os.rename(part, final)
    descriptor = os.open(runs, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return final


def versions() -> dict[str, str]:
    """The software that made a run."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text())
    return content


def write_graph(part: Path, model: str, graph: Graph) -> None:
    np.savez(part / f"knn-{model}.npz", ids=graph.ids, distances=graph.distances)


def write_map(
    part: Path, model: str, ids: list[str], place: NDArray[np.float32], partitions: Mapping[float, Partition]
) -> None:
    """map-<model>.parquet: image_id, x, y and one column of clusters for each resolution."""
    columns: dict[str, object] = {"image_id": ids, "x": place[:, 0], "y": place[:, 1]}
    for resolution, partition in partitions.items():
        columns[f"cluster@{resolution:g}"] = partition.members
    pq.write_table(pa.table(columns), part / f"map-{model}.parquet")


def sha256(array: NDArray[np.generic]) -> str:
    """Of an array's numbers."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
