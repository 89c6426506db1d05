"""``hilum analyze align``: words for image-only models."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app import local, output
from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import Sample, Seed, tell

Text = Annotated[str, typer.Option("--text-model", help="Whose words (default: the first that reads; or tfidf).")]


def align(
    models: Models = "",
    text_model: Text = "",
    method: Annotated[str, typer.Option(help="procrustes, ridge, contrastive, adversarial (default: all).")] = "",
    section: Annotated[str, typer.Option(help="both, findings, impression (default: all; the first is kept).")] = "",
    pairs: Annotated[str, typer.Option(help="Points of the curve (default: 50,100,200 … all).")] = "",
    splits: Annotated[int, typer.Option(help="Patient-disjoint splits, each with seeds of its own.")] = 3,
    register: Annotated[bool, typer.Option("--register", help="Keep the best map as a model of its own.")] = False,
    name: Annotated[str, typer.Option(help="Of that model (default: MODEL-words).")] = "",
    where: Where = "",
    sample: Sample = 0,
    seed: Seed = 0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Learn a map from a model's films to words, from films with reports; measure it on patients left out.

    With --register the best map becomes a model that answers words, filled from stored vectors: no film is read again.
    By default of every model that holds films and reads no words.
    """
    with output.errors(), local.client(data) as client:
        chosen = names(models) or [m.name for m in client.models() if m.images and not m.text]
        job = client.analyze(
            "align", models=chosen, where=where, sample=sample, seed=seed, text_model=text_model,
            methods=names(method), sections=names(section), pairs=[int(n) for n in names(pairs) if n.isdecimal()],
            register=register, name=name, splits=splits,
        )  # fmt: skip
        done = output.follow(job, "align")
        if done.state != "succeeded":
            output.fail(done.error or f"the job was {done.state}")
        tell(client, str(done.result["run_id"]), json)
        for job_id in done.result.get("follow", []):
            kept = output.follow(client.job(str(job_id)), "register")
            if kept.state != "succeeded":
                output.fail(kept.error or f"the map was not registered: its job was {kept.state}")
            for model in kept.result["models"]:
                output.err.print(f"{model} answers words now: hilum search --text '…' --models {model}")
