"""`python -m services.engine --dir DIR [--port PORT]`: own a data directory and serve it until told to stop.

Prints one line of JSON: {"grpc": "127.0.0.1:PORT", "pid": PID} when ready, {"error": WHY} if it cannot start.
Stops cleanly (calls ended, everything flushed) on SIGTERM, on SIGINT, and when the process named by --parent-pid is
gone.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from . import lean

EXIT_FAILED = 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="services.engine", description=__doc__)
    parser.add_argument("--dir", required=True, type=Path, help="data directory; made if absent")
    parser.add_argument("--host", default="127.0.0.1", help="loopback only")
    parser.add_argument("--port", default=0, type=int, help="0 has one chosen")
    parser.add_argument("--ready-file", type=Path, help="also write the ready line here")
    parser.add_argument("--parent-pid", type=int, help="stop when this process is no longer the parent")
    parser.add_argument("--index-after", type=int, default=None, help="points outside the graph that start indexing")
    parser.add_argument("--turn", type=Path, help="file by which engines index one after another")
    return parser.parse_args()


def main() -> int:
    """Run until told to stop; returns the exit code."""
    args = _arguments()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s engine: %(message)s")
    lean.install()
    from .files import DirectoryBusyError, replace_file
    from .indexer import INDEX_AFTER_POINTS
    from .registry import RegistryBrokenError
    from .server import Engine

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        engine = Engine(
            args.dir, args.host, args.port,
            INDEX_AFTER_POINTS if args.index_after is None else args.index_after, args.turn,
        )  # fmt: skip
    except (DirectoryBusyError, RegistryBrokenError, ValueError, OSError) as error:
        logging.getLogger("hilum.engine").error("%s", error)
        print(json.dumps({"error": str(error)}), flush=True)
        return EXIT_FAILED
    engine.start()
    ready = json.dumps({"grpc": engine.address, "pid": os.getpid()})
    if args.ready_file:
        replace_file(args.ready_file, ready.encode())
    print(ready, flush=True)
    while not stop.wait(0.2):
        if args.parent_pid and os.getppid() != args.parent_pid:
            break
    engine.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
