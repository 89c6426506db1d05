"""``hilum analyze studies``: probes, retrieval and class structure side by side, in one report."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated, Any

import typer

from hilum import Client
from services.app import local, output
from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import Labels, Sample, Seed


def studies(
    run: Annotated[
        list[str] | None, typer.Argument(help="Runs of probe, retrieval, structure (default: the newest of each).")
    ] = None,
    make: Annotated[bool, typer.Option("--make", help="Make those that are not named, of these films.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the report here: one HTML file.")] = None,
    models: Models = "",
    where: Where = "",
    labels: Labels = "",
    sample: Sample = 0,
    seed: Seed = 0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Put the tables of three runs side by side: findings read from vectors, films like a film, classes."""
    from services.analytics import studies

    with output.errors(), local.client(data) as client:
        known = {one.kind: one.run_id for one in map(client.run, run or [])}
        if make:
            asked = {"models": names(models), "where": where, "labels": names(labels), "sample": sample, "seed": seed}
            for kind in studies.KINDS:
                if kind not in known:
                    known[kind] = _made(client, kind, asked)
        elif not run:
            for one in client.runs():
                if one.kind in studies.KINDS and one.state == "succeeded":
                    known.setdefault(one.kind, one.run_id)
        if not known:
            output.fail("no run of probe, retrieval or structure is there; make them with --make")
        page, about = studies.page([_read(client, run_id) for run_id in known.values()])
        if out is not None:
            out.write_text(page.html(about))
        if json:
            output.emit({"runs": known, "tables": page.tables})
            return
        for table in page.tables:
            output.table(table["title"], table["columns"], table["rows"])


def _made(client: Client, kind: str, asked: dict[str, Any]) -> str:
    done = output.follow(client.analyze(kind, **asked), kind)
    if done.state != "succeeded":
        output.fail(done.error or f"the job was {done.state}")
    return str(done.result["run_id"])


def _read(client: Client, run_id: str) -> Any:
    from services.analytics.studies import Run

    return Run(*(jsons.loads(client.run_file(run_id, f"{name}.json")) for name in ("manifest", "metrics")))
