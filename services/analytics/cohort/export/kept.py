"""A cohort's record as it is kept: with its set, and, while there is one, in the folder of its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.analytics import manifest, seen
from services.analytics.cohort.export.frozen import Count, Frozen, Model, Step
from services.core.access import Access
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, sets
from services.core.filters import to_sql

COHORT, TABLE1 = "cohort.parquet", "table1.json"


def kept(facts: Facts, runs: Path, name: str, access: Access) -> Frozen:
    """The cohort `name`. Raises NOT_FOUND, also where somebody may not see every film that was judged for it, and
    FAILED_PRECONDITION for a set that no specification made."""
    there = sets.listed(facts, sets.COHORT, begins=name, size=1)
    if not name or not there or there[0].set_id != name:
        raise _missing()
    one, about = there[0], there[0].about
    home = _folder(runs, about)
    told = manifest.read_json(home / "manifest.json") if home else {}
    if not _sees(facts, one, told, access):
        raise _missing()
    if "ids_sha256" not in about:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "this set of films was made by no specification, so there is no record to export; build a cohort of it: "
            f'hilum cohort build with the criterion filter: cohort = "{name}"',
        )
    record: dict[str, Any] = dict(told.get("cohort") or about)  # type: ignore[call-overload]
    return Frozen(
        name=name,
        title=one.title,
        created_at=one.created_at,
        run_id=str(about.get("run_id", "")),
        ids_sha256=str(record["ids_sha256"]),
        count=_count(record["counts"]),
        spec=record.get("spec") or {},
        steps=[_step(step) for step in record["steps"]],
        films=_films(home),
        manifest=told or about,
        models=[Model(model, used["fingerprint"]) for model, used in sorted(_models(told).items())],
        versions=told.get("versions") or {},  # type: ignore[arg-type]
        table1=manifest.read_json(home / TABLE1) if home and (home / TABLE1).is_file() else None,
    )


def _sees(facts: Facts, one: sets.FilmSet, told: dict[str, Any], access: Access) -> bool:
    """Every film that was judged, as attrition counts them; once the run is gone, nobody knows which they were."""
    if access.datasets is None:
        return True
    if not told or not seen.sees(access, told):
        return False
    return sets.get(facts, one.set_id, to_sql(access.condition())).films == one.films


def _folder(runs: Path, about: dict[str, object]) -> Path | None:
    """Of the run; None when it is gone, as it is when a film of it was forgotten."""
    try:
        return manifest.folder(runs, str(about.get("run_id", "")))
    except HilumError:
        return None


def _films(home: Path | None) -> pa.Table:
    if home is None or not (home / COHORT).is_file():
        return pa.table({"image_id": pa.array([], pa.string())})
    table = pq.read_table(home / COHORT)
    return table.take(pc.sort_indices(table["image_id"]))


def _models(told: dict[str, Any]) -> dict[str, Any]:
    return dict(told.get("models") or {})


def _count(told: dict[str, int]) -> Count:
    return Count(told["images"], told["studies"], told["patients"])


def _step(told: dict[str, Any]) -> Step:
    alone = _count(told["alone"]) if told.get("alone") else None
    return Step(told["name"], told["kind"], told["test"], _count(told["left"]), _count(told["removed"]), alone)


def _missing() -> HilumError:
    return HilumError(ErrorCode.NOT_FOUND, "no such cohort; `hilum cohort list` shows those there are")
