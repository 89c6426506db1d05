"""``hilum analyze compare``: models beside one another."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import K, Labels, Sample, Seed, carry_out


def compare(
    models: Models = "",
    where: Where = "",
    sample: Sample = 0,
    seed: Seed = 0,
    k: K = 15,
    resolution: Annotated[float, typer.Option(help="Of the Leiden clusters that are compared.")] = 1.0,
    apart: Annotated[int, typer.Option(help="Patients, one film each, between whom distances are compared.")] = 600,
    shuffles: Annotated[int, typer.Option(help="Of the permutation test.")] = 999,
    shown: Annotated[int, typer.Option(help="Films of each pair of models on which they part most.")] = 4,
    labels: Labels = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Do models agree? Neighbours, spaces, distances and clusters of the same films, and the films they part on.

    Maps are linked: every atlas has the other models' clusters, and linked.html (hilum analyze files RUN --out FOLDER)
    marks films on all maps at once.
    """
    carry_out(
        data, json, kind="compare", models=names(models), where=where, sample=sample, seed=seed, k=k,
        resolutions=[resolution], labels=names(labels), apart=apart, shuffles=shuffles, shown=shown,
    )  # fmt: skip
