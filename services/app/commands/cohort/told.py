"""Flows and differences of cohorts, as the shell tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import json_format

from hilum.v1 import cohort_pb2
from services.app import output

_WHY = {
    "new_film": "new in the archive", "gone_film": "gone from the archive", "fact": "its facts changed",
    "model": "the model changed", "rank": "others are nearer now, or farther", "draw": "the draw, or a cap",
    "specification": "the specification differs", "unrecorded": "not known: the frozen run is gone",
}  # fmt: skip


def plain(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return found


def flow(found: Iterable[cohort_pb2.CohortStep]) -> None:
    steps([plain(step) for step in found])


def steps(found: Iterable[Mapping[str, Any]]) -> None:
    """Steps as JSON; a count of 0 may be left out."""
    rows = []
    for step in found:
        left, removed, alone = step.get("left", {}), step.get("removed", {}), step.get("alone")
        counts = [int(left.get(name, 0)) for name in ("images", "studies", "patients")]
        fell = "" if step["kind"] == "archive" else int(removed.get("images", 0))
        rows.append((step["name"], *counts, fell, "" if alone is None else int(alone.get("images", 0))))
    output.table("", ("step", "films left", "studies", "patients", "films removed", "alone"), rows)


def changes(found: cohort_pb2.CohortDiff) -> None:
    """What differs; nothing but one line where nothing does."""
    for note in found.notes:
        output.out.print(note, soft_wrap=True)
    if found.same:
        output.out.print(f"the very same {found.both:,} films")
        return
    before, after = found.before.images, found.after.images
    output.out.print(f"{before:,} films before, {after:,} after, {found.both:,} in both")
    rows = [(one.how, one.films, _WHY.get(one.why, one.why), one.step) for one in found.reasons]
    output.table("", ("", "films", "why", "step"), rows)
    named = [
        (one.image_id, one.how, _WHY.get(one.why, one.why), one.step, _score(one, "before"), _score(one, "after"))
        for one in found.changes
    ]
    if named:
        output.table("", ("film", "", "why", "step", "similarity before", "after"), named)


def _score(one: cohort_pb2.CohortChange, name: str) -> str:
    return f"{getattr(one, name):.4f}" if one.HasField(name) else ""
