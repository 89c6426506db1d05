"""``hilum analyze sample``: one sample for every model, kept by name."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import Seed, carry_out


def sample(
    n: Annotated[int, typer.Option("--n", help="How many films (0: all, with --per-patient for instance).")] = 0,
    by: Annotated[str, typer.Option(help="Strata: view,sex,age_band,year,labels.edema …; none: plainly.")] = "",
    name: Annotated[str, typer.Option(help='Keep it: cohort = "NAME" are its films in every filter.')] = "",
    allocation: Annotated[str, typer.Option(help="proportional to the archive, or equal.")] = "proportional",
    quota: Annotated[
        list[str] | None, typer.Option(help="Instead of --n: '1000: labels.edema = present'; may be given again.")
    ] = None,
    per_patient: Annotated[int, typer.Option(help="At most so many films of a patient (0: any number).")] = 0,
    models: Models = "",
    where: Where = "",
    seed: Seed = 0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Draw films that every model holds, by strata, and say how like the archive they are."""
    carry_out(
        data, json, kind="sampling", models=names(models), where=where, sample=n, seed=seed, name=name,
        by=names(by), allocation=allocation, quotas=quota or [], per_patient=per_patient,
    )  # fmt: skip
