"""What tools say: plain objects, short enough to be read, each with how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format

from hilum import Film, Hit, SearchResult, showing
from services.app.version import VERSION

NOTE = "Research use only: Hilum is not a medical device, and no answer of it is a diagnosis."


def said(answer: dict[str, Any], **provenance: Any) -> dict[str, Any]:
    """The answer with its provenance and the note that every answer has."""
    return {**answer, "provenance": {"hilum": VERSION, **provenance}, "note": NOTE}


def search(found: SearchResult) -> dict[str, Any]:
    """Hits, and all that is to be known of them."""
    answer: dict[str, Any] = {"hits": [hit(rank, one) for rank, one in enumerate(found, 1)]}
    if found.priors:
        answer["priors"] = [hit(place, one) for place, one in enumerate(found.priors, 1)]
    if found.nothing_comparable:
        answer["nothing_comparable"] = showing.NOTHING_COMPARABLE
    if found.warnings:
        answer["warnings"] = found.warnings
    if found.understood:
        answer["understood"] = [str(one) for one in found.understood]
    how = {name: value for name, value in found.provenance.items() if name != "versions"}
    return said(answer, **how)


def hit(rank: int, one: Hit) -> dict[str, Any]:
    """One film found; what is unknown is left out."""
    places = {place.model: {"rank": place.rank, "cosine": round(place.score, 4)} for place in one.agreement}
    return _known({
        "rank": rank, **film(one.film, ("present", "uncertain")), "score": round(one.score, 4),
        "probability": str(one.calibrated) if one.calibrated else None,
        "agreement": one.agrees if one.asked > 1 else None, "models": places, "group": one.group,
        "copies": len(one.copies), "hub": one.hub, "why": one.why, "same_patient": one.same_patient,
    })  # fmt: skip


def film(one: Film, states: Sequence[str] = ("present", "uncertain", "absent")) -> dict[str, Any]:
    """A film's record; findings by state, those that nobody stated left out."""
    findings = {state: [name for name, of in one.labels.items() if of == state] for state in states}
    return _known({
        "image_id": one.image_id, "dataset": one.dataset, "patient_id": one.patient_id, "study_id": one.study_id,
        "study_date": one.study_date, "view": one.view, "sex": one.sex, "age": one.age, "findings": _known(findings),
    })  # fmt: skip


def plain(message: Any) -> dict[str, Any]:
    """A message of the contract as an object."""
    found: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return found


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, "", [], {}, 0, False)}
