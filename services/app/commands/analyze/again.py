"""``hilum analyze again``: a run's manifest carried out once more, and held against what it says."""

from __future__ import annotations

import json as jsons
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from services.app import local, output
from services.app.commands import Data, Json

_SHOWN = 20
_MADE = ("sample_sha256", "films_matching", "models", "labels", "versions")  # of a manifest, that tell two runs apart


def again(
    run: Annotated[str, typer.Argument(help="A run, or a manifest.json that somebody handed over.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Carry out a run once more as its manifest says, and tell whether films, models and figures came out the same.

    Ends with 1 where they did not."""
    with output.errors(), local.client(data) as client:
        path = Path(run)
        first, figures = None, None
        if path.is_file():
            first = _read(path)
            beside = path.with_name("metrics.json")
            figures = jsons.loads(beside.read_text()) if beside.is_file() else None
        else:
            first, figures = (jsons.loads(client.run_file(run, f"{name}.json")) for name in ("manifest", "metrics"))
        done = output.follow(client.analyze(**_options(first)), "analyze")
        if done.state != "succeeded":
            output.fail(done.error or f"the job was {done.state}")
        run_id = str(done.result["run_id"])
        second, now = (jsons.loads(client.run_file(run_id, f"{name}.json")) for name in ("manifest", "metrics"))
        made = list(_differences({name: first.get(name) for name in _MADE}, {name: second.get(name) for name in _MADE}))
        told = list(_differences(figures, now)) if figures is not None else []
        count = sum(1 for _ in _leaves(now))
        if json:
            rows = [dict(zip(("what", "then", "now"), row, strict=True)) for row in [*made, *told]]
            output.emit({"run_id": run_id, "figures": count, "same": not rows, "differences": rows})
        else:
            _show(run_id, made, told, count if figures is not None else 0)
        if made or told:
            raise typer.Exit(output.FAILED)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = jsons.loads(path.read_text())
    except (OSError, ValueError):
        found = None
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("asked"), dict)
        or not isinstance(found.get("kind"), str)
    ):
        output.fail("this is no manifest of a run: name its manifest.json, or a run of `hilum analyze list`")
    return found


def _options(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked, as `hilum.requests.analyze` takes it."""
    asked, kind = manifest["asked"], manifest["kind"]
    shared = {name: asked[name] for name in ("models", "seed", "k", "resolutions", "labels") if name in asked}
    own = asked.get(kind) or {}
    return {"kind": kind, "where": asked.get("filter", ""), "sample": asked.get("sample_size", 0), **shared, **own}


def _differences(then: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    one, other = dict(_leaves(then)), dict(_leaves(now))
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield name, one.get(name), other.get(name)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure by its place."""
    if isinstance(value, dict):
        parts: Any = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    else:
        yield name, value
        return
    for key, part in parts:
        yield from _leaves(part, f"{name}.{key}" if name else str(key))


def _show(run_id: str, made: list[tuple[str, Any, Any]], told: list[tuple[str, Any, Any]], count: int) -> None:
    output.out.print(f"run {run_id}")
    rows = [*made, *told]
    if rows:
        output.table("Not the same", ("what", "then", "now"), rows[:_SHOWN])
    if len(rows) > _SHOWN:
        output.out.print(f"and {len(rows) - _SHOWN:,} more")
    same = f"all {count:,} figures are the same" if count and not told else f"{len(told):,} of {count:,} figures differ"
    films = "the same films, models and versions" if not made else "not the same films, models or versions"
    output.out.print(f"{films}; {same if count else 'there were no figures to hold these against'}")
