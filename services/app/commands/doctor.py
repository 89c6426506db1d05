"""``hilum doctor``: is everything here that a working installation needs?"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil

import typer

from services.app import local, output
from services.app.commands import Data, Json
from services.core.config import Settings

_PARTS = {
    "engine": "qdrant-edge-py", "encoders": "torch", "text towers": "open-clip-torch", "DICOM": "pydicom",
    "map": "umap-learn", "clusters": "igraph", "atlas": "embedding-atlas",
}  # fmt: skip


def doctor(data: Data = None, json: Json = False) -> None:
    """Check packages, room on disk, the engine, the facts and the encoders."""
    settings = local.settings(data)
    checks: list[tuple[str, bool, str]] = [("python", True, platform.python_version())]
    for part, package in _PARTS.items():
        try:
            checks.append((part, True, f"{package} {importlib.metadata.version(package)}"))
        except importlib.metadata.PackageNotFoundError:
            checks.append((part, False, f"{package} is missing: run `make setup`"))
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free / 2**30
    checks.append(("disk", free > 2, f"{free:.1f} GiB free for the data folder"))
    checks.append(("data folder", os.access(settings.data_dir, os.W_OK), "writable by you"))
    checks += _models(settings)
    with output.errors(), local.client(data) as client:
        models = client.models()
        told = ", ".join(f"{model.name} ({model.images} films)" for model in models)
        checks.append(("services", bool(models), told or "no encoder at hand"))
    if json:
        output.emit([{"check": name, "ok": ok, "detail": detail} for name, ok, detail in checks])
    else:
        output.table(
            "", ("check", "", "detail"), [(name, "ok" if ok else "PROBLEM", said) for name, ok, said in checks]
        )
    if not all(ok for _, ok, _ in checks):
        raise typer.Exit(output.FAILED)


def _models(settings: Settings) -> list[tuple[str, bool, str]]:
    """Installed encoders by their manifests; `hilum models verify` looks at every byte."""
    from services.encoders.installed import scan

    shelf = scan(settings.models_home)
    told = ", ".join(shelf.models) or "none of your own: the bundled ones know phantoms only; see `hilum models list`"
    return [("models", True, told), *((f"model {name}", False, why) for name, why in shelf.damaged.items())]
