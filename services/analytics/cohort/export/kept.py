"""A cohort's record, as exports state it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.analytics import manifest
from services.analytics.cohort import records
from services.analytics.cohort.export.frozen import Count, Frozen, Model, Step
from services.core.access import Access
from services.core.errors import HilumError
from services.core.facts import Facts

COHORT = "cohort"  # .parquet of the run: its films, and what the cohort says of each
# Of the report, by their titles: what is exported as a table of its own.
TABLES = {"Table 1": "table1", "Balance": "balance", "Split": "split", "Leakage audit": "leakage"}


def kept(facts: Facts, runs: Path, name: str, access: Access) -> Frozen:
    """The cohort `name`. Raises NOT_FOUND, also where somebody may not see every film that was judged for it, and for a
    set that no specification made."""
    record = records.find(facts, runs, name, access)
    home, told, run = _folder(runs, record.run_id), record.told, record.manifest
    drawn = run.get("cohort") or {}  # what is long is not kept with the set
    return Frozen(
        name=name,
        title=record.set.title,
        created_at=record.set.created_at,
        run_id=record.run_id,
        ids_sha256=str(told["ids_sha256"]),
        count=_count(told["counts"]),
        spec=told.get("spec") or {},
        steps=[_step(step) for step in told["steps"]],
        films=_films(home),
        manifest=run or record.set.about,
        models=[Model(model, used["fingerprint"]) for model, used in sorted(dict(run.get("models") or {}).items())],
        versions=run.get("versions") or {},
        tables=_tables(home),
        draws={part: drawn[part] for part in ("match", "target", "split") if drawn.get(part)},
    )


def _folder(runs: Path, run_id: str) -> Path | None:
    """Of the run; None when it is gone, as it is when a film of it was forgotten."""
    try:
        return manifest.folder(runs, run_id)
    except HilumError:
        return None


def _films(home: Path | None) -> pa.Table:
    if home is None or not (home / f"{COHORT}.parquet").is_file():
        return pa.table({"image_id": pa.array([], pa.string())})
    table = pq.read_table(home / f"{COHORT}.parquet")
    return table.take(pc.sort_indices(table["image_id"]))


def _tables(home: Path | None) -> dict[str, Any]:
    if home is None or not (home / "tables.json").is_file():
        return {}
    found: Any = manifest.read_json(home / "tables.json")["tables"]
    return {TABLES[table["title"]]: table for table in found if table["title"] in TABLES}


def _count(told: dict[str, int]) -> Count:
    return Count(told["images"], told["studies"], told["patients"])


def _step(told: dict[str, Any]) -> Step:
    alone = _count(told["alone"]) if told.get("alone") else None
    return Step(told["name"], told["kind"], told["test"], _count(told["left"]), _count(told["removed"]), alone)
