"""``hilum analyze structure``: layouts, clusters that come back, what they are rich in, classes."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import K, Labels, Sample, Seed, carry_out


def structure(
    models: Models = "",
    where: Where = "",
    sample: Sample = 0,
    seed: Seed = 0,
    k: K = 15,
    resolution: Annotated[
        list[float] | None, typer.Option(help="Leiden resolution; may be given again (default: eight, 0.1 to 2).")
    ] = None,
    layouts: Annotated[str, typer.Option(help="umap, pca, tsne, comma-separated (default: all).")] = "",
    perplexity: Annotated[list[float] | None, typer.Option(help="Of t-SNE; may be given again (default: 30).")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds, of layouts and clusters.")] = 3,
    draws: Annotated[int, typer.Option(help="Halves of the patients that are clustered anew.")] = 20,
    labels: Labels = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Draw each model's space in several ways, cluster it, and say what is there again: over seeds, resolutions,
    patients and models; what each cluster is rich in; how findings stand apart."""
    carry_out(
        data, json, kind="structure", models=names(models), where=where, sample=sample, seed=seed, k=k,
        resolutions=resolution or [], labels=names(labels), layouts=names(layouts), perplexities=perplexity or [],
        seeds=seeds, draws=draws,
    )  # fmt: skip
