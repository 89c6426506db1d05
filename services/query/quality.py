"""How far each model's answers can be trusted on this archive: recall of its index, hubs, calibration."""

from __future__ import annotations

from hilum.v1 import query_pb2
from services.core.facts import Facts, calibrations, densities, models, recalls


def quality(facts: Facts) -> query_pb2.Quality:
    """Of every model that answers now."""
    return query_pb2.Quality(models=[_of(facts, name, spec.fingerprint) for name, spec in models.active(facts).items()])


def _of(facts: Facts, name: str, fingerprint: str) -> query_pb2.ModelQuality:
    told = {filtered: recalls.told(facts, fingerprint, filtered) for filtered in (False, True)}
    free, filtered = told[False], told[True]
    return query_pb2.ModelQuality(
        model=name,
        fingerprint=fingerprint,
        questions=free.samples if free else 0,
        recall=free.mean if free else 0.0,
        filtered_questions=filtered.samples if filtered else 0,
        filtered_recall=filtered.mean if filtered else 0.0,
        least_recall=min((one.least for one in told.values() if one), default=0.0),
        hubs_measured=densities.usual(facts, fingerprint)[0],
        calibrated=sorted({one.asked_by for one in calibrations.every(facts, fingerprint)}),
    )
