"""``hilum jobs``: long work, watched and cancelled."""

from __future__ import annotations

import typer

from services.app import local, output
from services.app.commands import Data, Json

app = typer.Typer(
    no_args_is_help=True, help="Work under way and done: list it, follow it, stop it.", rich_markup_mode=None
)


@app.command("list")
def list_jobs(data: Data = None, json: Json = False) -> None:
    """The latest jobs."""
    with output.errors(), local.client(data) as client:
        rows = [
            (j.job_id, j.kind, j.state, f"{j.done}/{j.total}", output.counts(j.counts), j.created_at)
            for j in client.jobs()
        ]
        names = ("job_id", "kind", "state", "progress", "counts", "created_at")
        if json:
            output.emit([dict(zip(names, row, strict=True)) for row in rows])
        else:
            output.table("", names, rows, none="no jobs yet: `hilum ingest FOLDER --dataset NAME` starts one")


@app.command()
def watch(job_id: str, data: Data = None) -> None:
    """Follow a job until it is finished."""
    with output.errors(), local.client(data) as client:
        done = output.follow(client.job(job_id), "job")
        output.out.print(f"{done.state}: {output.counts(done.counts)}")
        if done.state != "succeeded":
            output.fail(done.error or f"the job was {done.state}")


@app.command()
def cancel(job_id: str, data: Data = None) -> None:
    """Ask a job to stop; what it has stored stays."""
    with output.errors(), local.client(data) as client:
        output.out.print(client.cancel(job_id).state)
