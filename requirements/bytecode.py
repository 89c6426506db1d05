"""Import what commands and tests import, so that its byte code is kept.

    .venv/bin/python requirements/bytecode.py

Packages are installed without byte code, as compiling all of it takes minutes and little of it is ever used. Processes
write it as they go, unless PYTHONDONTWRITEBYTECODE tells them not to: then each compiles torch anew for seconds.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path

COMMANDS = (
    "services.app.cli", "services.app.stack", "services.analytics.worker", "services.engine.__main__",
    "services.ingest.decode_child", "services.phantom.write",
)  # fmt: skip
LATER = ("duckdb", "igraph", "leidenalg", "sklearn.metrics", "umap", "timm", "pytest", "hypothesis")


def main() -> None:
    sys.dont_write_bytecode = False
    for name in COMMANDS:
        import_module(name)
    _encoders()
    for name in LATER:
        import_module(name)


def _encoders() -> None:
    """Run the two that ship with Hilum: much of torch and transformers is imported by use."""
    from services.core.config import Settings
    from services.encoders.registry import Registry

    with tempfile.TemporaryDirectory() as folder:
        registry = Registry.open(Settings(Path(folder)))
        for name in registry.default_names():
            with registry.lease(name):
                pass


if __name__ == "__main__":
    main()
