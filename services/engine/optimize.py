"""The indexing child: `python -m services.engine.optimize ROOM PARENT_PID` builds the graph of the copy in ROOM/shard,
of the collection that ROOM/entry.json describes.

It is niced, dies with its parent, and exits 0 only when the result is on disk.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from . import lean
from .files import remove_tree, sync_tree

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies. Elsewhere the copy it works on is simply deleted."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(3)


def main() -> None:
    """Load, optimize, flush, close, sync."""
    die_with_parent(int(sys.argv[2]))
    os.nice(5)
    room = Path(sys.argv[1])
    path = room / "shard"
    remove_tree(path / "temp_segments")
    lean.install()
    import qdrant_edge
    from google.protobuf import json_format
    from qdrant_client.grpc import collections_pb2

    from .convert.schema import edge_config

    entry = json.loads((room / "entry.json").read_text())
    config = json_format.ParseDict(entry["config"], collections_pb2.CreateCollection())
    shard = qdrant_edge.EdgeShard.load(str(path), edge_config(config, entry["points"]))
    shard.optimize()
    shard.flush()
    shard.close()
    sync_tree(path)


if __name__ == "__main__":
    main()
