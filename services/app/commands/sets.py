"""``hilum sets``: films by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from google.protobuf import json_format

from hilum.v1 import sets_pb2
from services.app import local, output
from services.app.commands import Data, Json, Where

app = typer.Typer(no_args_is_help=True, help="Cohorts, and clusters of analyses, to filter by.", rich_markup_mode=None)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Of the cohort: filters then say cohort = NAME.")] = "",
    where: Where = "",
    ids: Annotated[str, typer.Option(help="A file with one image id per line; - reads them from stdin.")] = "",
    run: Annotated[str, typer.Option(help="Instead: one set for each cluster of this analysis.")] = "",
    model: Annotated[str, typer.Option(help="With --run: of this model only.")] = "",
    resolution: Annotated[float, typer.Option(help="With --run: of this resolution only.")] = 0.0,
    title: Annotated[str, typer.Option(help="What it is, in words.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Freeze the films that match now, those of a file, or the clusters of an analysis."""
    if bool(name) == bool(run) or (run and (where or ids)) or (where and ids):
        raise typer.BadParameter("give a NAME with --where or --ids, or --run alone")
    with output.errors(), local.client(data) as client:
        if run:
            made = client.publish_clusters(run, model=model, resolution=resolution, title=title)
        elif ids:
            made = [client.create_set(name, films=_ids(ids), title=title)]
        else:
            made = [client.create_set(name, where=where, title=title)]
        _show(made, json)


@app.command("list")
def list_sets(
    kind: Annotated[str, typer.Option(help="cohort or cluster.")] = "",
    begins: Annotated[str, typer.Option(help="How the name begins: a run's id, say.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Every set, with how many films it has."""
    with output.errors(), local.client(data) as client:
        _show(list(client.sets(kind, begins)), json)


@app.command("delete")
def delete(
    name: Annotated[str, typer.Argument(help="A cohort, a cluster, or a run: all its clusters.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Delete sets; their films stay."""
    with output.errors(), local.client(data) as client:
        gone = client.delete_set(name)
        if json:
            output.emit({"sets": gone})
        else:
            output.out.print(f"{gone} deleted")


def _ids(path: str) -> list[str]:
    text = typer.get_text_stream("stdin").read() if path == "-" else Path(path).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _show(found: list[sets_pb2.FilmSet], json: bool) -> None:
    if json:
        output.emit([json_format.MessageToDict(one, preserving_proto_field_name=True) for one in found])
        return
    rows = [(one.set_id, one.films, one.state, one.title or one.filter) for one in found]
    output.table("", ("set", "films", "state", "what"), rows, none="no sets yet: maps and cohorts make them")
