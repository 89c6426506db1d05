"""Import `qdrant_client.grpc` without the rest of the client.

The package's `__init__` pulls in httpx, pydantic models and the local mode (about 1.1 s and 60 MB); the engine
needs only the generated protobuf classes. `install()` puts an empty package of the same name and path in place, so
submodules import as usual. It is for the engine's own process and does nothing where the client is already loaded.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def install() -> None:
    """Make `import qdrant_client.grpc` light. Raises ModuleNotFoundError if qdrant-client is not installed."""
    if "qdrant_client" in sys.modules:
        return
    spec = importlib.util.find_spec("qdrant_client")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("the embedded engine needs the package qdrant-client")
    package = ModuleType("qdrant_client")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules["qdrant_client"] = package
