"""``hilum analyze outliers``: films far from all others, and films there twice."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import K, Labels, Sample, Seed, carry_out


def outliers(
    models: Models = "",
    where: Where = "",
    top: Annotated[int, typer.Option(help="So many films are outliers (default: 1 in 50, at least 10).")] = 0,
    region: Annotated[
        str, typer.Option(help="A filter of films to understand, e.g. 'cluster = \"RUN/MODEL/1/3\"'.")
    ] = "",
    ids: Annotated[str, typer.Option(help="Films to understand, comma-separated, instead of --region.")] = "",
    same: Annotated[
        float, typer.Option(help="Cosine distance of films nearly the same (default: by the model).")
    ] = 0.0,
    sample: Sample = 0,
    seed: Seed = 0,
    k: K = 15,
    labels: Labels = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Find films far from all others by three scores, say why, show the nearest normal films beside them, and name
    films that are nearly the same, within and across patients."""
    if ids and not region:
        region = " OR ".join(f'image_id = "{one}"' for one in names(ids))
    carry_out(
        data, json, kind="outliers", models=names(models), where=where, sample=sample, seed=seed, k=k,
        labels=names(labels), top=top, region=region, same=same,
    )  # fmt: skip
