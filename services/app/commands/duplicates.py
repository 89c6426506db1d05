"""``hilum duplicates``: films that are stored more than once."""

from __future__ import annotations

from typing import Annotated

import typer

from hilum.v1 import jobs_pb2
from services.app import local, output
from services.app.commands import Data, Json


def duplicates(
    dataset: Annotated[str, typer.Option(help="Only films of this dataset (default: all, also across).")] = "",
    model: Annotated[str, typer.Option(help="Also near-duplicates by this model's embeddings.")] = "",
    bits: Annotated[int | None, typer.Option(help="Bits of 64 in which perceptual hashes may differ.")] = None,
    likeness: Annotated[float | None, typer.Option(help="Least correlation of the small pictures.")] = None,
    distance: Annotated[float | None, typer.Option(help="Largest cosine distance of embeddings.")] = None,
    limit: Annotated[int, typer.Option(help="How many groups to tell, alarms first.")] = 1000,
    data: Data = None,
    json: Json = False,
) -> None:
    """Films stored more than once, by bytes, pixels, looks or embeddings. One film under two patients is an alarm."""
    with output.errors(), local.client(data) as client, output.progress("duplicates") as bar:

        def seen(progress: jobs_pb2.JobProgress) -> None:
            bar(progress.done, progress.total, progress.stage, output.counts(progress.counts))

        found = client.duplicates(
            dataset=dataset, model=model, bits=bits, likeness=likeness, distance=distance, limit=limit, seen=seen
        )
    if json:
        output.emit({
            "films": found.films, "groups": found.counts, "alarms": found.alarms, "unconfirmed": found.unconfirmed,
            "models": found.models, "duplicates": found.rows(),
        })  # fmt: skip
        return
    shown = ("group", "patients", "kind", "distance", "dataset", "patient_id", "rows", "columns", "image_id")
    if found.groups:
        output.table("", shown, [[row[column] for column in shown] for row in found.rows()])
    output.out.print(f"{found.films} films: {output.counts(found.counts) or 'no duplicates'}")
    if found.alarms:
        output.err.print(
            f"[red]alarm:[/] {found.alarms} groups have one film under different patients of a dataset: "
            "a leak between splits, or wrong ids",
            markup=True,
        )
    if found.unconfirmed:
        output.err.print(f"{found.unconfirmed} pairs may look alike, but their pictures are not stored")
