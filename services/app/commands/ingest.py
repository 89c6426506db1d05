"""``hilum ingest``: films in."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from hilum import Client, Job
from services.app import local, output
from services.app.commands import Data, Json, Models, names
from services.app.commands import reconcile as reconciling
from services.app.commands import side as sides
from services.app.commands.explain_file import explain_file
from services.core.dicomweb import is_address
from services.encoders.slices import WINDOWS
from services.ingest.sources import layouts


def ingest(
    source: Annotated[str, typer.Argument(help="A folder of films, one film, or dicomweb:NAME, a DICOMweb server.")],
    dataset: Annotated[str, typer.Option(help="Name of the dataset: a-z, 0-9, '-' and '_'.")] = "",
    layout: Annotated[
        str, typer.Option(help=f"auto, files, dicom, ct (CT series), or a published one: {', '.join(layouts.names())}.")
    ] = "auto",
    labels: Annotated[str | None, typer.Option(help="CSV with one row per film: ids, facts, labels.")] = None,
    reports: Annotated[str | None, typer.Option(help="CSV with study_id and one column per report section.")] = None,
    tables: Annotated[
        str | None, typer.Option(help="Folder with a published layout's tables; the source itself by default.")
    ] = None,
    map_: Annotated[str | None, typer.Option("--map", help="Column map (YAML) of a dataset of your own.")] = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="Only write a first column map, guessed from the source's tables.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Only say what would happen to one file, and why.")
    ] = False,
    picture: Annotated[
        str | None, typer.Option(help="With --explain: save the film as encoders see it (JPEG).")
    ] = None,
    where: Annotated[
        str, typer.Option(help="Of a DICOMweb server's films: 'Modality=CR,DX;StudyDate=20240101-'.")
    ] = "",
    recheck: Annotated[
        bool, typer.Option("--recheck", help="DICOMweb: fetch and compare also what is stored already.")
    ] = False,
    every: Annotated[
        float, typer.Option("--follow", min=0, help="DICOMweb: look for new films every so many seconds, until Ctrl-C.")
    ] = 0,
    window: Annotated[str, typer.Option(help=f"Window of CT slices (layout ct): header, {', '.join(WINDOWS)}.")] = "",
    side: Annotated[
        list[str] | None, typer.Option(help="A side table to filter by: NAME=FILE:COLUMNS; may be given again.")
    ] = None,
    models: Models = "",
    keep_ids: Annotated[
        bool, typer.Option("--keep-ids", help="The dataset is already de-identified: keep its patient and study ids.")
    ] = False,
    cache_pixels: Annotated[
        bool, typer.Option("--cache-pixels", help="Keep decoded films: `hilum models fill` then needs no source.")
    ] = False,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Only hold the source (the whole of it) against the dataset.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="With --reconcile: remove films that are gone, restore what lacks.")
    ] = False,
    ray: Annotated[
        str, typer.Option(help="Spread the work over Ray: auto (the cluster at hand, or this machine), or its address.")
    ] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Store films in every model's collection. The same command again goes on where it stopped and doubles nothing."""
    if propose:
        with output.errors():
            typer.echo(proposed(Path(source)), nl=False)
        return
    if explain:
        with output.errors():
            taken = explain_file(Path(source), layout, window, labels, tables, map_, picture, json)
        raise typer.Exit(0 if taken else output.QUARANTINED)
    if not dataset:
        raise typer.BadParameter("name the dataset: --dataset NAME")
    if reconcile:
        reconciling.reconcile(
            source, dataset, data, apply, json, layout=layout, labels=labels, reports=reports, tables=tables, map=map_,
            models=names(models), keep_ids=keep_ids, window=window, where=where,
        )  # fmt: skip
        return
    for one in side or []:
        sides.parts(one)
    if every and not is_address(source):
        raise typer.BadParameter("--follow is for a DICOMweb server: dicomweb:NAME")
    with output.errors(), local.client(data, _spread(source, ray)) as client:
        while True:
            job = client.ingest(
                source, dataset, layout=layout, labels=labels, reports=reports, tables=tables, map=map_,
                models=names(models), keep_ids=keep_ids, window=window, cache_pixels=cache_pixels,
                where=where, recheck=recheck,
            )  # fmt: skip
            done = output.follow(job, f"ingest {dataset}")
            refused = _refused(client, done, source, data)
            _tell(done, refused, json)
            if done.state == "succeeded":
                sides.after_ingest(client, dataset, side or [])
            if not every:
                break
            if done.error:
                output.err.print(done.error)
            time.sleep(every)
    if done.state != "succeeded":
        output.fail(done.error or f"the job was {done.state}")
    if refused:
        raise typer.Exit(output.QUARANTINED)


def _spread(source: str, ray: str) -> str:
    if ray and is_address(source):
        output.err.print("films of a DICOMweb server are fetched and encoded by one machine: --ray is for folders")
        return ""
    return ray


def proposed(source: Path) -> str:
    """A column map to begin with."""
    from services.ingest.sources.propose import propose

    return propose(source)


def _refused(client: Client, job: Job, source: str, data: str | None) -> list[dict[str, str]]:
    """Quarantined and conflicting files by name. The archive keeps no file names; whoever has the folder can tell."""
    from services.core.ids import load_secret
    from services.ingest.sources.refs import resolve_refs

    items = [item for outcome in ("quarantined", "conflict") for item in client.items(job.job_id, outcome)]
    refs = set() if is_address(source) else {item.ref for item in items}  # a server is not listed for names once more
    known = resolve_refs(source, load_secret(local.settings(data).data_dir), refs)
    return [
        {"file": known.get(item.ref, item.ref), "outcome": item.outcome, "reason": item.reason, "message": item.message}
        for item in items
    ]


def waits(job: Job) -> None:
    """Say which models have changed and wait for somebody to let them answer."""
    for model, held in job.result.get("waiting", {}).items():
        output.out.print(
            f"{model} has changed and holds {held['films']:g} films, the former one {held['of']:g}. The former one "
            "answers by this name until you say otherwise: compare the two with "
            f"`hilum models promote {model} --check-only`"
        )


def _tell(job: Job, refused: list[dict[str, str]], json: bool) -> None:
    if not json:
        return _show(job, refused)
    told = {
        "job_id": job.job_id, "state": job.state, "counts": job.counts, "quarantined": refused,
        "passed_over": job.result.get("passed_over", {}), "error": job.error,
    }  # fmt: skip
    output.emit(told)


def _show(job: Job, refused: list[dict[str, str]]) -> None:
    output.out.print(f"{job.state}: {output.counts(job.counts) or 'nothing to do'}")
    waits(job)
    if passed := job.result.get("passed_over"):
        others = ", ".join(f"{int(count):,} {ending}" for ending, count in sorted(passed.items()))
        output.out.print(f"passed over: {others}. Hilum reads DICOM, PNG and JPEG; convert or unpack what holds films")
    if refused:
        rows = [(row["file"], row["outcome"], row["reason"], row["message"]) for row in refused]
        output.table("Not stored", ("file", "outcome", "reason", "what it means"), rows)
