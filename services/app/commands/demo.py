"""``hilum demo``: the whole path on phantom films, with how right the answers are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import phantom
from services.app.commands.analyze.runs import show
from services.app.commands.up import told_to_stop
from services.app.demo import Score


def demo(
    data: Annotated[Path, typer.Option(help="Folder for films and archive.")] = Path("demo-data"),
    port: Annotated[int, typer.Option(help="Where the UI listens.")] = 8080,
    films: Annotated[int, typer.Option(help="How many films.")] = 600,
    headless: Annotated[bool, typer.Option("--headless", help="Do the job and leave.")] = False,
) -> None:
    """Write phantom films, store them with two encoders, ask for similar cases and by words, map them, serve the UI."""
    from google.protobuf import json_format

    from hilum import Client, locate
    from services.app import demo as job
    from services.app.stack import Stack
    from services.core import logs
    from services.encoders import bundled

    logs.configure(level=30)
    started = time.monotonic()
    with output.errors():
        folder = job.films(data / "films", films, phantom.write)
        settings = local.settings(str(data / "archive"))
        settings = replace(
            settings, models=(bundled.CLIP, bundled.DINO), http_bind=f"127.0.0.1:{port}", grpc_bind="127.0.0.1:0"
        )  # those that know phantoms
        with (
            Stack(settings, http=not headless) as stack,
            Client(endpoint=locate.Endpoint(stack.grpc, stack.url, stack.token)) as client,
        ):
            done = job.ingest(client, folder, output.follow)
            output.out.print(f"\n[1] {output.counts(done.counts)}", markup=False)
            archive = list(client.images(f"dataset = {job.DATASET}"))
            _answers(job, client, archive)
            run = job.analyse(client, data, output.follow, changed=bool(done.counts.get("stored")))
            output.out.print("\n[4] analysis: sample, one kNN graph per model, Leiden, UMAP, metrics", markup=False)
            show(json_format.MessageToDict(run, preserving_proto_field_name=True), most=8)
            output.out.print(f"\ndone in {time.monotonic() - started:.0f} s. Phantom films; research use only.")
            if not headless:
                output.out.print(f"UI   {stack.url}\nmap  {stack.url}{run.atlas}\nCtrl-C stops it.")
                told_to_stop().wait()


def _answers(job: object, client: object, archive: Sequence[object]) -> None:
    models = client.models()  # type: ignore[attr-defined]
    for model in models:
        if model.text:
            scores = job.words(client, model.name, archive)  # type: ignore[attr-defined]
            _table(f"\n[2] films by words · {model.name}", scores)
    scores = [
        replace(job.similar(client, model.name, archive), asked=model.name)  # type: ignore[attr-defined]
        for model in models
    ]
    _table("\n[3] similar cases, other patients' films", scores)


def _table(title: str, scores: Sequence[Score]) -> None:
    rows = [
        (s.asked, f"{s.precision:.2f}", f"{s.chance:.2f}", f"{s.precision / max(s.chance, 1e-9):.1f}×") for s in scores
    ]
    output.table(title, ("asked", "right among first 10", "by chance", "gain"), rows)
