"""``hilum analyze retrieval``: how good answers are."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import K, Labels, Sample, Seed, carry_out


def retrieval(
    models: Models = "",
    where: Where = "",
    relevance: Annotated[str, typer.Option(help="What is relevant: findings, view, patient or marks.")] = "findings",
    depth: Annotated[
        list[int] | None, typer.Option(help="k of nDCG@k; may be given again (default: 1, 5, 10).")
    ] = None,
    queries: Annotated[int, typer.Option(help="At most so many films ask.")] = 1000,
    fuse: Annotated[bool, typer.Option("--fuse", help="Also all models together.")] = False,
    correct: Annotated[bool, typer.Option("--correct", help="Also with hubs corrected.")] = False,
    labels: Labels = "",
    sample: Sample = 0,
    seed: Seed = 0,
    k: K = 15,
    data: Data = None,
    json: Json = False,
) -> None:
    """Let films ask, and measure what is found first: mAP, nDCG, precision, recall, with intervals by patient."""
    carry_out(
        data, json, kind="retrieval", models=names(models), where=where, sample=sample, seed=seed, k=k,
        labels=names(labels), depths=depth or [], queries=queries, relevance=relevance, fuse=fuse, correct=correct,
    )  # fmt: skip
