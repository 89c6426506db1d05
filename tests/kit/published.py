"""Published datasets in miniature on disk, and the real tables that a package on the index carries."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.core.ids import image_id
from services.ingest.sources.source import Source, open_source


def picture(path: Path, seed: int, size: tuple[int, int] = (64, 64), mode: str = "L") -> Path:
    """A film of noise on a ramp, at `path` with its folders: PNG or JPEG by its ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 200, size[0])[:, None] + np.random.default_rng(seed).integers(0, 50, size)
    image = Image.fromarray(ramp.astype(np.uint8))
    image.convert(mode).save(path)
    return path


def write(path: Path, text: str) -> Path:
    """`text` at `path` with its folders; compressed when the name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def opened(source: Path, layout: str = "auto", dataset: str = "demo", tables: Path | None = None) -> Source:
    """As an ingest job opens it."""
    named: Callable[[str], str] = lambda key: image_id(dataset, key)  # noqa: E731
    return open_source(source, layout, "", "", named, str(tables or ""))


def real_table(name: str, folder: Path, as_name: str | None = None) -> Path:
    """A publisher's table as torchxrayvision carries it, copied into `folder`; skips where the package is absent."""
    try:
        found = [f for f in files("torchxrayvision") or () if f.name == name]
    except PackageNotFoundError:
        found = []
    if not found:
        pytest.skip(f"torchxrayvision's {name} is not installed")
    return Path(shutil.copy(found[0].locate(), folder / (as_name or name)))
