"""``hilum forget``: a patient's consent is withdrawn."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from hilum.v1 import jobs_pb2
from services.app import local, output
from services.app.commands import Data, Json

_ASK = """\
This removes the films of {patients} patient(s) of {dataset} for good: vectors in every collection, facts, labels,
reports, pictures, cached pixels, items of jobs, every analysis run that has one of the films as a whole, and the
engine's snapshots. Their films will be refused from now on; nothing undoes that. Go on?"""


def forget(
    dataset: Annotated[str, typer.Option(help="The patient's dataset.")],
    patient: Annotated[list[str], typer.Option(help="The patient's id here, or the original one; may be repeated.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Remove every trace of a patient, and prove it. Interrupted, the same command again goes on."""
    if not yes and not typer.confirm(_ASK.format(patients=len(patient), dataset=dataset), err=True):
        raise typer.Exit(output.FAILED)
    with output.errors(), local.client(data) as client, output.progress("forget") as bar:

        def seen(progress: jobs_pb2.JobProgress) -> None:
            bar(progress.done, progress.total, progress.stage)

        done = client.forget(dataset, *patient, seen=seen)
    if json:
        output.emit(asdict(done))
    else:
        rows = [(t.place, t.removed, "cannot look" if t.left is None else t.left, t.note) for t in done.traces]
        output.table("", ("place", "removed", "left", "note"), rows)
        output.out.print(f"{done.films} films were stored; {'nothing is left' if done.complete else 'NOT complete'}")
    if not done.complete:
        output.fail("traces are left: see above, and give the same command again")
