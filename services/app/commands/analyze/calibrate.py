"""``hilum analyze calibrate``: what scores mean."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import Labels, Sample, Seed, carry_out


def calibrate(
    models: Models = "",
    where: Where = "",
    labels: Labels = "",
    folds: Annotated[int, typer.Option(help="Of patients, for the errors.")] = 5,
    sample: Sample = 0,
    seed: Seed = 0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Learn P(shares the finding | score) from labelled films; searches say it with every hit from then on."""
    carry_out(
        data, json, kind="calibration", models=names(models), where=where, sample=sample, seed=seed,
        labels=names(labels), folds=folds,
    )  # fmt: skip
