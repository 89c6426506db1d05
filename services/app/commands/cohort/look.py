"""``hilum cohort list``, ``show``, ``diff`` and ``delete``."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data, Json
from services.app.commands.cohort import told


def list_cohorts(data: Data = None, json: Json = False) -> None:
    """Every cohort, by name."""
    with output.errors(), local.client(data) as client:
        found = list(client.cohorts())
        if json:
            output.emit([told.plain(one) for one in found])
            return
        rows = [(one.name, one.films.images, one.frozen.images, one.created_at, one.title) for one in found]
        output.table(
            "",
            ("cohort", "films", "frozen", "built", "title"),
            rows,
            none="no cohorts yet: `hilum cohort build FILE.yaml` makes one",
        )


def show(name: str, data: Data = None, json: Json = False) -> None:
    """One cohort: its flow, its hash, its run."""
    with output.errors(), local.client(data) as client:
        one = client.cohort(name)
        if json:
            output.emit(told.plain(one))
            return
        output.out.print(f"{one.name}  {one.title}".rstrip())
        told.flow(one.steps)
        gone = one.frozen.images - one.films.images
        output.out.print(f"{one.films.images:,} films" + (f"; {gone:,} have left the archive since" if gone else ""))
        output.out.print(f"ids sha256 {one.ids_sha256}", soft_wrap=True)
        output.out.print(f"run {one.run_id}" if one.report else "its run is gone: a film of it was forgotten")


def diff(
    name: str,
    against: Annotated[str, typer.Argument(help="Another cohort, or a run (default: the latest rerun).")] = "",
    most: Annotated[int, typer.Option(help="Films to name.")] = 20,
    data: Data = None,
    json: Json = False,
) -> None:
    """Who entered a cohort, who left it, and why."""
    with output.errors(), local.client(data) as client:
        found = client.diff_cohort(name, against, most=most)
        if json:
            output.emit(told.plain(found))
        else:
            told.changes(found)


def delete(name: str, data: Data = None, json: Json = False) -> None:
    """Forget a cohort's name; its films, and its run with the report, stay."""
    with output.errors(), local.client(data) as client:
        gone = client.delete_cohort(name)
        if json:
            output.emit({"name": gone})
        else:
            output.out.print(f"{gone} deleted")
