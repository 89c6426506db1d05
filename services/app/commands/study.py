"""``hilum study``: people judge which films are alike, and are held against each other and a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from google.protobuf import json_format

from hilum.v1 import reader_study_pb2
from services.app import local, output
from services.app.commands import Data, Json, Where

app = typer.Typer(no_args_is_help=True, help="Reader studies: readers, sets, agreement.", rich_markup_mode=None)
Study = Annotated[str, typer.Argument(metavar="STUDY", help="Its id, as `hilum study list` shows it.")]


@app.command()
def create(
    title: Annotated[str, typer.Argument(help="What it is called; readers do not see it.")],
    kind: Annotated[
        str, typer.Option(help="choose (the k most alike), pairs (the one of two), grades (0 to 3 each).")
    ] = "choose",
    model: Annotated[str, typer.Option(help="Whose nearest films are shown (default: the first).")] = "",
    sets: Annotated[int, typer.Option(help="How many queries, of as many patients.")] = 25,
    nearest: Annotated[int, typer.Option(help="Nearest films of each set (default: 5; pairs: 1).")] = 0,
    others: Annotated[int, typer.Option(help="Others of each set (default: 5; pairs: 1).")] = 0,
    against: Annotated[str, typer.Option(help="Whose the others are: furthest or random.")] = "furthest",
    where: Where = "",
    candidates: Annotated[str, typer.Option(help="Filter of the candidates (default: --where).")] = "",
    stratum: Annotated[
        list[str] | None, typer.Option(help="A filter; with several, equally many queries of each.")
    ] = None,
    stratify: Annotated[str, typer.Option(help="Instead: a field, or labels.FINDING; a stratum for each value.")] = "",
    repeats: Annotated[int, typer.Option(help="Sets that come twice, unmarked.")] = 0,
    queries: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A file with the queries' ids, one per line, instead of drawing."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every draw and order.")] = 0,
    instructions: Annotated[str, typer.Option(help="What readers are told, instead of our own words.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Draw the sets of a study and open it."""
    with output.errors(), local.client(data) as client, output.progress("study") as seen:
        ids = [line.strip() for line in queries.read_text("utf-8").splitlines()] if queries else []
        made = client.create_study(
            title, queries=[one for one in ids if one], seen=lambda at: seen(at.done, at.total, at.stage), kind=kind,
            model=model, sets=sets, nearest=nearest, others=others, against=against, where=where,
            candidates=candidates, strata=stratum or (), stratify=stratify, repeats=repeats, seed=seed,
            instructions=instructions,
        )  # fmt: skip
    _show(made, json)


@app.command()
def invite(
    study: Study,
    names: Annotated[list[str], typer.Argument(help="Names of readers; results tell them by these.")],
    renew: Annotated[bool, typer.Option("--renew", help="A new link for readers who lost theirs.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make each reader a link of their own. It is shown this once: only its hash is kept."""
    with output.errors(), local.client(data) as client:
        made = [client.invite(study, name, renew=renew) for name in names]
        links = [(client.endpoint.http or "").rstrip("/") + one.path for one in made]
    rows = [{"name": one.reader.name, "link": link} for one, link in zip(made, links, strict=True)]
    if json:
        output.emit(rows)
    else:
        for row in rows:
            output.line(f"{row['name']}\t{row['link']}")
        if not client.endpoint.http:
            output.err.print("these are paths below the address of `hilum up`, which does not run now")


@app.command("list")
def list_studies(data: Data = None, json: Json = False) -> None:
    """Your studies, the newest first."""
    with output.errors(), local.client(data) as client:
        found = client.studies()
    if json:
        output.emit([_plain(one) for one in found])
        return
    rows = [
        (one.study_id, one.title, one.design.kind, one.sets, len(one.readers), one.state, one.created_at[:10])
        for one in found
    ]
    output.table("", ("study", "title", "kind", "sets", "readers", "state", "made"), rows, none="no studies yet")


@app.command()
def show(study: Study, data: Data = None, json: Json = False) -> None:
    """One study, and how far its readers are."""
    with output.errors(), local.client(data) as client:
        _show(client.study(study), json)


@app.command()
def results(
    study: Study,
    reader: Annotated[list[str] | None, typer.Option(help="Only these readers.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """What came out, with 95 % intervals, what it means and what it does not."""
    with output.errors(), local.client(data) as client:
        found = client.study_results(study, reader or ())
    if json:
        output.emit(_plain(found))
        return
    for line in found.said:
        output.out.print(line, markup=False)
    rows = [
        (
            one.name,
            one.sets,
            _told(one.model),
            _told(one.model_kappa),
            _told(one.others),
            _told(one.itself),
            round(one.seconds, 1),
        )
        for one in found.each
    ]
    if rows:
        columns = ("reader", "sets", "with the model", "kappa", "with the other readers", "with themselves", "seconds")
        output.table("", columns, rows)
    groups = [(one.name, one.sets, _told(one.consensus), _told(one.readers), _told(one.fleiss)) for one in found.groups]
    if groups:
        output.table("", ("sets of", "", "consensus with model", "readers with model", "Fleiss' kappa"), groups)
    for line in found.caveats:
        output.out.print(f"· {line}", markup=False)


@app.command()
def close(
    study: Study,
    reopen: Annotated[bool, typer.Option("--reopen", help="Take answers again.")] = False,
    data: Data = None,
) -> None:
    """Take no more answers."""
    with output.errors(), local.client(data) as client:
        output.out.print(client.close_study(study, reopen=reopen).state)


@app.command()
def export(
    study: Study,
    out: Annotated[Path | None, typer.Argument(help="The file to write (default: stdout).")] = None,
    form: Annotated[
        str, typer.Option("--format", help="csv (a row for each film judged), json, or qrels as trec_eval reads.")
    ] = "csv",
    data: Data = None,
) -> None:
    """Every answer, to analyse elsewhere."""
    with output.errors(), local.client(data) as client:
        written = client.export_study(study, form)
    if out is None:
        typer.get_binary_stream("stdout").write(written)
    else:
        out.write_bytes(written)


@app.command()
def marks(study: Study, data: Data = None) -> None:
    """Keep what readers made of the films as marks of saved searches, one for each query."""
    with output.errors(), local.client(data) as client:
        for search_id in client.keep_grades(study):
            output.line(search_id)


@app.command()
def delete(study: Study, data: Data = None) -> None:
    """Delete a study with all its answers."""
    with output.errors(), local.client(data) as client:
        output.out.print(f"{client.delete_study(study)} answers deleted with it")


def _plain(message: object) -> dict[str, object]:
    found: dict[str, object] = json_format.MessageToDict(message, preserving_proto_field_name=True)  # type: ignore[arg-type]
    return found


def _show(one: reader_study_pb2.ReaderStudy, json: bool) -> None:
    if json:
        output.emit(_plain(one))
        return
    asked = one.design
    output.out.print(f"{one.study_id}  {one.title}", markup=False)
    output.out.print(
        f"{asked.kind}: {one.sets} sets of {asked.nearest} nearest and {asked.others} {asked.against}, by "
        f"{asked.model} {one.fingerprint[:8]}, seed {asked.seed}; {one.state}",
        markup=False,
    )
    if one.withdrawn:
        output.out.print(f"{one.withdrawn} sets are left out: a film of theirs was withdrawn")
    for name, count in one.strata.items():
        output.out.print(f"{count} of {name}", markup=False)
    if one.readers:
        output.table("", ("reader", "answered", "of"), [(r.name, r.answered, one.sets) for r in one.readers])


def _told(figure: reader_study_pb2.ReaderFigure) -> str:
    if not figure.HasField("value"):
        return "–"
    return f"{figure.value:.2f}" + (f" [{figure.low:.2f}, {figure.high:.2f}]" if figure.HasField("low") else "")
