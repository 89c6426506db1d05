"""``hilum analyze labels``: which labels are likely wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app import output
from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import K, Labels, Sample, Seed, carry_out


def labels(
    models: Models = "",
    where: Where = "",
    labels: Labels = "",
    folds: Annotated[int, typer.Option(help="Of patients.")] = 5,
    shown: Annotated[int, typer.Option(help="Films of each finding in the report.")] = 12,
    flip: Annotated[str, typer.Option(help="A finding to mislabel on purpose, to see what that does.")] = "",
    rates: Annotated[str, typer.Option(help="Shares of patients to mislabel (default: 0.01,0.05,0.1,0.2,0.3).")] = "",
    repeats: Annotated[int, typer.Option(help="Of every rate, each with other patients.")] = 5,
    sample: Sample = 0,
    seed: Seed = 0,
    k: K = 15,
    data: Data = None,
    json: Json = False,
) -> None:
    """List labels that a classifier blind to the patient contradicts, as films to read again; and how sources agree.

    With --flip a finding is mislabelled on purpose: what becomes of clusters, probe and retrieval, and how many of the
    wrong labels are found.
    """
    with output.errors():
        try:
            shares = [float(rate) for rate in names(rates)]
        except ValueError:
            raise typer.BadParameter("--rates are numbers with commas between, such as 0.01,0.1") from None
    carry_out(
        data, json, kind="label_quality", models=names(models), where=where, sample=sample, seed=seed, k=k,
        labels=names(labels), folds=folds, shown=shown, flip=flip, rates=shares, repeats=repeats,
    )  # fmt: skip
