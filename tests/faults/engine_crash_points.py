"""Die at a named point of an indexing round. `python -m tests.faults.engine_crash_points DIR POINT`

Writes 400 points, starts a round, writes 10 more while it runs, and kills itself with SIGKILL just before or just
after the step. Prints the number of acknowledged points before it starts and after the late writes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qdrant_client.grpc import collections_pb2, points_pb2, qdrant_common_pb2

from services.engine import catalog, indexer, registry
from services.engine.convert.updates import Update
from services.engine.shard import Shard

STEPS: dict[str, tuple[Any, str]] = {
    "copy": (indexer, "copy_tree"),
    "journal": (Shard, "start_journal"),
    "build": (indexer.Indexer, "_in_child"),
    "open": (indexer, "open_edge"),
    "replay": (indexer, "_replay"),
    "registry": (registry, "replace_file"),
    "pointer": (catalog.Catalog, "point_to"),
    "swap": (Shard, "swap"),
    "remove": (indexer, "remove_tree"),
}
POINTS = [f"{when} {step}" for step in STEPS for when in ("before", "after")]


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def patched(step: Callable[..., Any], when: str) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            die()
        result = step(*args, **kwargs)
        die()
        return result

    return run


def upsert(shard: Shard, first: int, count: int) -> None:
    message = points_pb2.UpsertPoints(collection_name="films", wait=True)
    for i in range(first, first + count):
        vectors = points_pb2.Vectors(vector=points_pb2.Vector(dense=points_pb2.DenseVector(data=[i + 1.0] * 64)))
        message.points.append(points_pb2.PointStruct(id=qdrant_common_pb2.PointId(num=i), vectors=vectors))
    shard.apply([Update("upsert", message)], wait=True)
    print(first + count, flush=True)


def main() -> None:
    directory, point = sys.argv[1:]
    opened = catalog.Catalog(Path(directory))
    params = collections_pb2.VectorParams(size=64, distance=collections_pb2.Dot)
    opened.create(
        collections_pb2.CreateCollection(
            collection_name="films",
            vectors_config=collections_pb2.VectorsConfig(params=params),
            optimizers_config=collections_pb2.OptimizersConfigDiff(indexing_threshold=1),
        )
    )
    shard = opened.shard("films")
    upsert(shard, 0, 400)
    build = indexer.Indexer._in_child

    def build_and_write(self: indexer.Indexer, module: str, path: Path) -> bool:
        upsert(shard, 400, 10)
        return build(self, module, path)

    indexer.Indexer._in_child = build_and_write  # type: ignore[method-assign]
    if point != "never":
        when, step = point.split()
        owner, name = STEPS[step]
        setattr(owner, name, patched(getattr(owner, name), when))
    indexer.Indexer(opened, 1).index("films")
    opened.close()


if __name__ == "__main__":
    main()
