"""The version of this installation."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("hilum")
except PackageNotFoundError:  # run from a tree that is not installed
    VERSION = "0+tree"
