"""``hilum analyze hubs``: which films are near everything."""

from __future__ import annotations

from services.app.commands import Data, Json, Models, Where, names
from services.app.commands.analyze.runs import K, Sample, Seed, carry_out


def hubs(
    models: Models = "",
    where: Where = "",
    sample: Sample = 0,
    seed: Seed = 0,
    k: K = 15,
    data: Data = None,
    json: Json = False,
) -> None:
    """Measure how unevenly films are found, before and after correction; searches with --hubs use what is measured.

    Measured on a part of the archive (--where, --sample) it is reported and not used.
    """
    carry_out(data, json, kind="hubs", models=names(models), where=where, sample=sample, seed=seed, k=k)
