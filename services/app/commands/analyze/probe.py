"""``hilum analyze probe``: how well findings can be read from vectors."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import Labels, Sample, Seed, carry_out


def probe(
    models: Models = "",
    where: Where = "",
    labels: Labels = "",
    per_side: Annotated[
        int, typer.Option("--per-side", help="Films with and films without, each, of a label in a dataset.")
    ] = 1000,
    folds: Annotated[int, typer.Option(help="Of patients.")] = 5,
    classifiers: Annotated[str, typer.Option(help="logistic, mlp, comma-separated (default: both).")] = "",
    augment: Annotated[
        bool | None,
        typer.Option("--augment/--no-augment", help="Films made bright, dark … encoded (default: up to 2,000 films)."),
    ] = None,
    pooled: Annotated[bool, typer.Option("--pooled", help="Also each label over all datasets together.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Keep the fitted probes as files of the run.")] = False,
    sample: Sample = 0,
    seed: Seed = 0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Train simple classifiers on stored vectors, and test them on patients they have not seen."""
    carry_out(
        data, json, kind="probe", models=names(models), where=where, sample=sample, seed=seed, labels=names(labels),
        per_side=per_side, folds=folds, classifiers=names(classifiers), pooled=pooled, save=save,
        augment="auto" if augment is None else "on" if augment else "off",
    )  # fmt: skip
