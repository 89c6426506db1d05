"""``hilum analyze eda``: what the archive says of its films."""

from __future__ import annotations

from typing import Annotated

import typer

from services.app.commands import Data, Json, Where
from services.app.commands.analyze.runs import Sample, Seed, carry_out


def eda(
    where: Where = "",
    sides: Annotated[bool, typer.Option("--sides/--no-sides", help="Also side tables.")] = True,
    sample: Sample = 0,
    seed: Seed = 0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Describe the archive: every field and finding, what is missing, side tables, and what looks wrong."""
    carry_out(data, json, kind="eda", where=where, sample=sample, seed=seed, no_sides=not sides)
