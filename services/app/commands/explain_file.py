"""``hilum ingest FILE --explain``: what would happen to a file, and why, with its picture."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from services.app import output
from services.core.errors import invalid


def explain_file(
    path: Path, layout: str, window: str, labels: str | None, tables: str | None, map_: str | None,
    picture: str | None, json: bool,
) -> bool:  # fmt: skip
    """Print the verdict; is the film taken?"""
    from services.core.ids import image_id
    from services.encoders import slices
    from services.ingest.decode_pool import DecodePool
    from services.ingest.sources.source import open_source
    from services.ingest.verdict import explain

    if not path.is_file():
        raise invalid("--explain takes one file")
    source = None
    if labels or tables or map_:
        root = Path(tables) if tables else path.parent
        source = open_source(root, layout, labels or "", "", partial(image_id, "explained"), tables or "", map_ or "")
    pool = DecodePool(1)
    try:
        how = f"{layout}:{slices.window_of(window)}" if layout == slices.LAYOUT else layout
        verdict = explain(path, pool, how, source)
    finally:
        pool.close()
        if source:
            source.close()
    shown = _save(verdict.picture, picture)
    if json:
        said = replace(verdict, picture=b"")
        output.emit({name: getattr(said, name) for name in said.__slots__ if name != "picture"} | {"picture": shown})
        return verdict.accepted
    output.out.print(f"{'taken' if verdict.accepted else f'refused: {verdict.reason}'}  ({verdict.kind})")
    if verdict.message:
        output.out.print(verdict.message)
    if verdict.header:
        output.table("What the header says", ("element", "value"), verdict.header.items())
    if verdict.facts:
        output.table("What would enter the archive", ("fact", "value"), verdict.facts.items())
    if shown:
        output.out.print(f"the film as encoders see it: {shown}")
    return verdict.accepted


def _save(picture: bytes, where: str | None) -> str:
    if not picture or where is None:
        return ""
    Path(where).write_bytes(picture)
    return where
