"""References to files: names of files can name people, so the archive keeps a keyed hash of each and no name."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from services.core.ids import pseudonym
from services.ingest.sources.files import list_films


def ref_of(secret: bytes, name: str) -> str:
    """The reference of a file by its path below the source."""
    return pseudonym(secret, "file", "", name)


def resolve_refs(source: str | Path, secret: bytes, refs: Collection[str]) -> dict[str, str]:
    """ref → path below `source`, for whoever has both the folder and the installation's secret."""
    if not refs:
        return {}
    wanted = set(refs)
    pairs = ((ref_of(secret, item.name), item.name) for item in list_films(Path(source)))
    return {ref: name for ref, name in pairs if ref in wanted}
