"""The purging child: `python -m services.engine.rebuild ROOM PARENT_PID` writes a shard anew from its live points.

A deleted point stays in the files of its segment, and every write in the write-ahead log, until they are rewritten;
Edge rewrites a segment when enough of it is deleted, and says nothing of the log. So nothing but what is live is
carried over: points are read from ``ROOM/old`` (a copy) and written to ``ROOM/shard``, ``ROOM/entry.json`` says how.
Exits 0 only when the new shard is on disk with as many points.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from qdrant_client.grpc import collections_pb2, points_pb2

from .convert.schema import edge_config, index_params
from .files import sync_tree
from .optimize import die_with_parent

_PAGE = 1_000


def rebuild(room: Path) -> bool:
    """False when the new shard does not hold what the old one does."""
    import qdrant_edge as edge

    entry = json.loads((room / "entry.json").read_text())
    (room / "shard").mkdir()
    old = edge.EdgeShard.load(str(room / "old"))
    config = json_format.ParseDict(entry["config"], collections_pb2.CreateCollection())
    new = edge.EdgeShard.create(str(room / "shard"), edge_config(config, entry["points"]))
    for field, saved in entry["indexes"].items():
        message = json_format.ParseDict(saved, points_pb2.CreateFieldIndexCollection())
        new.update(edge.UpdateOperation.create_field_index(field, index_params(message)))
    after: Any = None
    while True:
        asked = edge.ScrollRequest(offset=after, limit=_PAGE, with_payload=True, with_vector=True)
        records, after = old.scroll(asked)
        if records:
            points = [edge.Point(record.id, record.vector, record.payload) for record in records]
            new.update(edge.UpdateOperation.upsert_points(points))
        if after is None:
            break
    new.flush()
    new.optimize()
    new.flush()
    whole = new.info().points_count == old.info().points_count
    old.close()
    new.close()
    sync_tree(room / "shard")
    return bool(whole)


def main() -> int:
    die_with_parent(int(sys.argv[2]))
    return 0 if rebuild(Path(sys.argv[1])) else 1


if __name__ == "__main__":
    sys.exit(main())
