"""The heavy work, in a process of its own.

    python -m services.analytics.worker --run-dir DIR --run-id ID --spec FILE

Speaks JSON lines on stdout: {"stage", "done", "total", "eta_seconds"} while it works, then {"ok": true} or {"error":
CODE, "message": …}. Where state lives comes by the environment (HILUM_*), so that no key is on a command line. Ends at
once when its stdin closes: a worker without its service is of no use.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="services.analytics.worker")
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--spec", type=Path, required=True)
    options = parser.parse_args(arguments)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    os.nice(10)  # answers come before maps

    from services.analytics import kinds
    from services.core import config, logs
    from services.core.blobs import Blobs
    from services.core.errors import HilumError
    from services.core.facts import open_facts
    from services.core.store import VectorStore

    logs.configure()
    try:
        settings = config.from_environment(os.environ)
        asked = kinds.parse(json.loads(options.spec.read_text()))
        facts = open_facts(settings.facts)
        store = VectorStore(settings.engine_url, settings.engine_api_key, timeout=60)
        _compile_once()
        from services.analytics.bench import Bench
        from services.analytics.progress import Progress

        progress = Progress(
            lambda stage, done, total, left: say({"stage": stage, "done": done, "total": total, "eta_seconds": left})
        )
        blobs = Blobs(settings.data_dir / "blobs")
        bench = Bench(asked, options.run_id, options.run_dir, facts, store, blobs, settings, progress)
        kinds.work(asked.kind)(bench)
    except HilumError as error:
        say({"error": error.code.value, "message": error.client_message})
        return 1
    except MemoryError:
        say({"error": "RESOURCE_EXHAUSTED", "message": "the analysis ran out of memory; ask for a smaller sample_size"})
        return 1
    except Exception as error:
        logs.get_logger("analytics").exception("worker.failed", error, run_id=options.run_id)
        say({"error": "INTERNAL", "message": "the analysis failed; the service's log says where"})
        return 1
    say({"ok": True})
    return 0


def _compile_once() -> None:
    """Let numba keep what it compiled, in a folder that only this user may write (what it keeps is code)."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hilum" / "numba"
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = cache.stat()
        if state.st_uid == os.getuid() and not state.st_mode & 0o022 and os.access(cache, os.W_OK):
            os.environ["NUMBA_CACHE_DIR"] = str(cache)
    except OSError:
        pass  # no home to write in: it compiles each time


def _die_with_parent() -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would be held when the interpreter ends
        pass
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main())
