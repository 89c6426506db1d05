"""``hilum analyze run``: sample → one kNN graph → clusters, map, metrics, atlas."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import K, Labels, Sample, Seed, carry_out


def run(
    models: Models = "",
    where: Where = "",
    sample: Sample = 0,
    seed: Seed = 0,
    k: K = 15,
    resolution: Annotated[list[float] | None, typer.Option(help="Leiden resolution; may be given again.")] = None,
    labels: Labels = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Map the archive, cluster it and measure it, once per model, on one kNN graph each."""
    carry_out(
        data, json, models=names(models), where=where, sample=sample, seed=seed, k=k, resolutions=resolution or [1.0],
        labels=names(labels),
    )  # fmt: skip
