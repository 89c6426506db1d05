"""The indexing child: `python -m services.engine.optimize DIR PARENT_PID` builds the graph of one copied shard.

It is niced, dies with its parent, and exits 0 only when the result is on disk.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

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
    path = Path(sys.argv[1])
    remove_tree(path / "temp_segments")
    import qdrant_edge

    shard = qdrant_edge.EdgeShard.load(str(path))
    shard.optimize()
    shard.flush()
    shard.close()
    sync_tree(path)


if __name__ == "__main__":
    main()
