"""``hilum analyze clinical``: films and clinical tables of the same patients."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import K, Sample, Seed, carry_out


def clinical(
    models: Models = "",
    where: Where = "",
    outcome: Annotated[str, typer.Option(help="Column of a side table: side.clinical.death.")] = "",
    time: Annotated[str, typer.Option(help="Column with the time of the event, or until nothing more is known.")] = "",
    event: Annotated[str, typer.Option(help="The outcome's value that is the event (default: 1, yes, true).")] = "",
    variables: Annotated[
        str, typer.Option(help="Columns to join, names or patterns: age,side.labs.* (default: age, sex, every column).")
    ] = "",
    film: Annotated[str, typer.Option(help="Which film stands for a patient: first, last, mean.")] = "first",
    reductions: Annotated[str, typer.Option(help="pca, vae (default: both).")] = "",
    methods: Annotated[str, typer.Option(help="kmeans, gmm, leiden (default: all).")] = "",
    components: Annotated[int, typer.Option(help="Of each model (0: one in ten patients, 16 at most).")] = 0,
    most_clusters: Annotated[int, typer.Option(help="At most so many.")] = 6,
    draws: Annotated[int, typer.Option(help="Bootstraps of the clusters.")] = 25,
    folds: Annotated[int, typer.Option(help="Of patients.")] = 5,
    repeats: Annotated[int, typer.Option(help="Of the cross-validation.")] = 5,
    sample: Sample = 0,
    seed: Seed = 0,
    k: K = 15,
    data: Data = None,
    json: Json = False,
) -> None:
    """Join vectors with clinical variables, cluster patients by either and by both, and measure what clusters,
    variables and films have to do with an outcome, yes or no or in time."""
    carry_out(
        data, json, kind="clinical", models=names(models), where=where, sample=sample, seed=seed, k=k, outcome=outcome,
        time=time, event=event, variables=names(variables), film=film, reductions=names(reductions),
        methods=names(methods), components=components, most_clusters=most_clusters, draws=draws, folds=folds,
        repeats=repeats,
    )  # fmt: skip
