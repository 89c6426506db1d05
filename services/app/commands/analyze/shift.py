"""``hilum analyze shift``: what else than findings vectors tell."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import K, Labels, Sample, Seed, carry_out


def shift(
    models: Models = "",
    where: Where = "",
    axes: Annotated[
        str, typer.Option(help="dataset, institution, manufacturer, device, view, sex, age, race (default: all known).")
    ] = "",
    a: Annotated[str, typer.Option("--a", help="A filter: these films against those of --b.")] = "",
    b: Annotated[str, typer.Option("--b", help="A filter of other films.")] = "",
    remove: Annotated[
        str, typer.Option(help="The axis to take out (default: the place or machine best read; none: nothing).")
    ] = "",
    permutations: Annotated[int, typer.Option(help="Of the tests.")] = 999,
    folds: Annotated[int, typer.Option(help="Of patients.")] = 5,
    labels: Labels = "",
    sample: Sample = 0,
    seed: Seed = 0,
    k: K = 15,
    data: Data = None,
    json: Json = False,
) -> None:
    """Measure how far dataset, site, scanner, view, sex, age and race can be read from vectors and neighbours, whether
    sets of films differ, which findings that could explain, and what taking such an axis out costs."""
    carry_out(
        data, json, kind="shift", models=names(models), where=where, sample=sample, seed=seed, k=k,
        labels=names(labels), axes=names(axes), a=a, b=b, remove=remove, permutations=permutations, folds=folds,
    )  # fmt: skip
