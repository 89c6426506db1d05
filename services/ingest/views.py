"""Lateral or not, from a film's vector, where neither its header nor a table says how it was taken.

A linear rule on the vectors of one bundled encoder, taught on phantoms (`services.phantom.train.view`) and written down
with that encoder's fingerprint: other encoders' vectors mean other things to it. It says LATERAL when it is sure and
nothing otherwise: AP and PA are the same picture but for magnification, so a frontal film keeps an unknown view.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from services.core.models import ModelSpec
from services.core.types import ImageRecord


@dataclass(frozen=True, slots=True)
class Rule:
    """LATERAL when the chance that the rule gives is at least `threshold`."""

    fingerprint: str
    threshold: float
    bias: float
    weights: NDArray[np.float64]


@cache
def rule() -> Rule:
    """The rule that ships with Hilum."""
    told = json.loads((files("services.ingest") / "views.json").read_text(encoding="utf-8"))
    return Rule(told["fingerprint"], told["threshold"], told["bias"], np.array(told["weights"]))


def inferred(record: ImageRecord, spec: ModelSpec, vector: NDArray[np.float32]) -> ImageRecord:
    """The record with view LATERAL, marked as inferred, if nobody stated a view and the rule is sure of it."""
    known = rule()
    if record.view is not None or spec.fingerprint != known.fingerprint:
        return record
    odds = float(vector @ known.weights) + known.bias
    sure = odds >= math.log(known.threshold / (1 - known.threshold))
    return replace(record, view="LATERAL", view_source="inferred") if sure else record


def kept(record: ImageRecord, existing: ImageRecord | None) -> ImageRecord:
    """The record with what was inferred of the same pixels before, unless somebody states a view now."""
    if existing is None or record.view is not None or existing.view_source != "inferred":
        return record
    return replace(record, view=existing.view, view_source=existing.view_source)
