"""``hilum embeddings``: vectors that somebody else has computed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hilum import Client, Job
from services.app import local, output
from services.app.commands import Data, Json
from services.app.commands.ingest import waits
from services.ingest.sources import layouts

_NAMED = 3


def embeddings(
    source: Annotated[str, typer.Argument(help="A folder or file of vectors: .npy, .npz, .parquet, .tfrecord.")],
    dataset: Annotated[str, typer.Option(help="Dataset of the films that the vectors are of.")],
    spec: Annotated[str, typer.Option(help="YAML file that states the model: docs/guide/embeddings.md.")],
    layout: Annotated[
        str, typer.Option(help=f"How films are named: auto, or as in {', '.join(layouts.names())}.")
    ] = "auto",
    tables: Annotated[
        str | None, typer.Option(help="Folder with the layout's tables, for films that the archive lacks.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="CSV with one row per film, likewise.")] = None,
    map_: Annotated[str | None, typer.Option("--map", help="Column map (YAML), likewise.")] = None,
    keep_ids: Annotated[
        bool, typer.Option("--keep-ids", help="The dataset is already de-identified: keep its patient and study ids.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Store vectors of a model that is not here. Its name then answers searches by stored films, and analyses."""
    with output.errors(), local.client(data) as client:
        job = client.embeddings(
            source, dataset, spec, layout=layout, tables=tables, labels=labels, map=map_, keep_ids=keep_ids
        )
        done = output.follow(job, f"embeddings {dataset}")
        refused = _refused(client, done, source, data)
        if json:
            output.emit(
                {"job_id": done.job_id, "state": done.state, "counts": done.counts, "models": done.result.get("models"),
                 "quarantined": refused, "error": done.error}
            )  # fmt: skip
        else:
            output.out.print(f"{done.state}: {output.counts(done.counts) or 'nothing to do'}")
            waits(done)
            if refused:
                _table(refused)
    if done.state != "succeeded":
        output.fail(done.error or f"the job was {done.state}")
    if refused:
        raise typer.Exit(output.QUARANTINED)


def _table(refused: list[dict[str, str]]) -> None:
    """By reason, each with a few of its rows: a wrong statement refuses every one for the same reason."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for row in refused:
        by_reason.setdefault((row["reason"], row["message"]), []).append(row["file"])
    rows = [
        (len(files), reason, ", ".join(sorted(files)[:_NAMED]) + (", …" if len(files) > _NAMED else ""), message)
        for (reason, message), files in sorted(by_reason.items())
    ]
    output.table("Not stored (--json names every row)", ("rows", "reason", "where", "what it means"), rows)


def _refused(client: Client, job: Job, source: str, data: str | None) -> list[dict[str, str]]:
    """What was not stored, by file and row for whoever has the files."""
    from services.core.ids import load_secret
    from services.ingest.sources.vectors import resolve

    items = [item for outcome in ("quarantined", "conflict") for item in client.items(job.job_id, outcome)]
    refs = {item.ref for item in items}
    known = resolve(Path(source), load_secret(local.settings(data).data_dir), refs) if refs else {}
    return [
        {"file": known.get(item.ref, item.ref), "outcome": item.outcome, "reason": item.reason, "message": item.message}
        for item in items
    ]
