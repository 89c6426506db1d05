"""A film chosen for a teaching file: into which group, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.core.labels import LabelState
from services.core.licences import HandingOn, handing_on
from services.core.types import ImageRecord
from services.query.asked import Hit
from services.query.search.modes import diagnoses

_BAND = 20  # years
_DEVICES = "support_devices"


class Group(StrEnum):
    """What films of a file are there for, in the order in which they stand."""

    INDEX = "index"
    TYPICAL = "typical"
    ATYPICAL = "atypical"
    LOOKALIKES = "lookalikes"
    NORMALS = "normals"

    @property
    def words(self) -> str:
        return {"index": "index film", "lookalikes": "look-alikes", "normals": "normals"}.get(self, f"{self} cases")


@dataclass(frozen=True, slots=True)
class Chosen:
    """why: in words.  severity: small, moderate, large or unknown."""

    record: ImageRecord
    why: str
    severity: str


def why(group: Group, rank: int, hit: Hit, finding: str, told: str = "") -> str:
    """Rank, models, agreement, mode, and who states the finding."""
    parts = [told or f"{group.words.removesuffix('s')}: rank {rank}"]
    if hit.why:
        parts.append(hit.why.replace("the films that have it", "normal films") if group is Group.NORMALS else hit.why)
    if len(hit.places) > 1:
        ranks = ", ".join(f"{place.model} {place.rank}" for place in hit.places)
        parts.append(f"ranks of {len(hit.places)} models: {ranks}")
    elif hit.places:
        parts.append(f"model {hit.places[0].model}")
    if hit.meaning is not None:
        parts.append(f"probability to share the finding {hit.meaning.probability:.2f}")
    if stated := _stated(hit.image.record, finding):
        parts.append(stated)
    if remark := licence_remark(hit.image.record):
        parts.append(remark)
    return "; ".join(parts)


def agreement(record: ImageRecord, others: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What models say that did not choose: model → film → rank. Nothing where none was asked."""
    told = []
    for model, ranks in others.items():
        rank = ranks.get(record.image_id)
        told.append(f"{model} ranks it {rank}" if rank else f"not among the first {len(ranks)} of {model}")
    return told


def conditions(record: ImageRecord) -> set[str]:
    """Findings stated to be present; tubes and wires are no diagnosis."""
    return diagnoses([record]) - {_DEVICES}


def licence_remark(record: ImageRecord) -> str:
    """What stands against handing the film on."""
    match handing_on(record.licence):
        case HandingOn.FORBIDDEN:
            return f"its licence ({record.licence}) forbids handing it on"
        case HandingOn.UNSTATED:
            return "no licence is stated"
        case HandingOn.UNREAD:
            return f"whether its licence ({record.licence}) lets it be handed on is not known"
        case _:
            return ""


def age_band(age: float | None) -> tuple[int, int] | None:
    """[from, to) in years: bands of twenty."""
    if age is None:
        return None
    start = int(age) // _BAND * _BAND
    return start, start + _BAND


def _stated(record: ImageRecord, finding: str) -> str:
    """Who says what of the finding, or which findings are present."""
    own = [label for label in record.labels if label.name == finding]
    if own:
        said = sorted({f"{label.source} {label.state.value}" for label in own})
        return f"{finding.replace('_', ' ')} according to {', '.join(said)}"
    present = sorted({label.name for label in record.labels if label.state is LabelState.PRESENT})
    return f"stated: {', '.join(present).replace('_', ' ')}" if present else ""
