"""Encoders as people see them: installed, bundled, known to the archive alone, or to be fetched. None is loaded."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from services.core.config import Settings
from services.core.models import ModelSpec
from services.encoders.bundled import CHECKPOINTS
from services.encoders.installed import Installed, Shelf, scan
from services.encoders.known import known


def shelf(settings: Settings) -> Shelf:
    """The bundled encoders and the installed ones."""
    own, added = scan(CHECKPOINTS), scan(settings.models_home)
    return Shelf(added.models | own.models, added.damaged | own.damaged)


def at_hand(settings: Settings) -> list[dict[str, Any]]:
    """One row per encoder that is here, or that only the archive knows."""
    here, (stored, archived) = shelf(settings), _archive(settings)
    rows = [_row(model, stored) for model in here.models.values()]
    rows += [{"name": name, "from": "damaged", "note": why} for name, why in here.damaged.items()]
    known_here = {row.get("fingerprint") for row in rows}
    rows += [
        {**_told(spec, stored), "from": "archive", "note": "its encoder is not here"}
        for spec in archived
        if spec.fingerprint not in known_here
    ]
    return rows


def to_get(there: Collection[str]) -> list[dict[str, Any]]:
    """One row per encoder of the catalogue that is not `there`."""
    return [
        {"name": entry.name, "from": "catalogue", "dim": entry.vector or None, "text": entry.text,
         "licence": entry.licence.name, "use": entry.licence.use, "gated": entry.licence.gated,
         "summary": entry.summary, "note": _how(entry)}
        for entry in known().values() if entry.name not in there
    ]  # fmt: skip


def _how(entry: Any) -> str:
    if not entry.source.repo:
        return f"by hand, then add --path; see {entry.doc}"
    return "gated" if entry.licence.gated else ""


def _row(model: Installed, stored: dict[str, int]) -> dict[str, Any]:
    m = model.manifest
    bundled = model.home.parent == CHECKPOINTS
    return {
        **_told(m.spec, stored), "from": "bundled" if bundled else "installed", "family": m.family,
        "variant": m.variant, "repo": m.origin.repo, "licence": m.licence.name, "use": m.licence.use,
        "gated": m.licence.gated, "bytes": m.found.bytes, "added_at": m.added_at,
        "note": "knows phantoms only" if bundled else "",
    }  # fmt: skip


def _told(spec: ModelSpec, stored: dict[str, int]) -> dict[str, Any]:
    return {
        "name": spec.name, "dim": spec.dim if spec.tokens == 1 else f"{spec.tokens} × {spec.dim}",
        "text": spec.text_space is not None, "images": stored.get(spec.fingerprint, 0),
        "fingerprint": spec.fingerprint, "collection": spec.collection, "revision": spec.revision,
        "preprocessing": spec.preprocessing, "pooling": spec.pooling,
    }  # fmt: skip


def _archive(settings: Settings) -> tuple[dict[str, int], list[ModelSpec]]:
    """Fingerprint → films, and the encoders that answer, from the facts alone; nothing where no archive is yet."""
    from services.core.facts import images, models, open_facts

    url = urlsplit(settings.facts)
    if url.scheme == "sqlite" and not (settings.data_dir / "facts.db").exists() and not settings.facts_url:
        return {}, []
    facts = open_facts(settings.facts)
    try:
        return images.count_by_model(facts), list(models.active(facts).values())
    finally:
        facts.close()
