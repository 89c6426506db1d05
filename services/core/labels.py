"""Labels with four states. A blank is *unknown* and never becomes *absent*."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class LabelState(StrEnum):
    """What a source says of one finding on one film."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"  # nobody said anything: not stored, and never counted as absent


@dataclass(frozen=True, slots=True)
class Label:
    """One statement: `name` is a key such as ``pleural_effusion``; `source` says who made it.

    level: said of this image, or of the study it belongs to.  implicit: not said, but meant by the dataset's convention
    (what a list of findings leaves out).  score: a probability, or the share of readers who said so.
    """

    name: str
    state: LabelState
    source: str = "table"
    level: str = "image"
    implicit: bool = False
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """Where a source sees a finding, in pixels of the stored film: left, top, width, height."""

    name: str
    x: float
    y: float
    width: float
    height: float
    source: str = "table"


# CheXpert's fourteen, then the names NIH ChestX-ray14 adds: Irvin et al. 2019, Wang et al. 2017.
CHEXPERT = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture",
    "Support Devices",
)  # fmt: skip
NIH = ("Effusion", "Infiltration", "Mass", "Nodule", "Emphysema", "Fibrosis", "Pleural Thickening", "Hernia")
SYNONYMS = {
    "effusion": "pleural_effusion",
    "airspace_opacity": "lung_opacity",
}

_STATES = {
    "1": LabelState.PRESENT, "1.0": LabelState.PRESENT, "present": LabelState.PRESENT, "true": LabelState.PRESENT,
    "positive": LabelState.PRESENT, "yes": LabelState.PRESENT,
    "0": LabelState.ABSENT, "0.0": LabelState.ABSENT, "absent": LabelState.ABSENT, "false": LabelState.ABSENT,
    "negative": LabelState.ABSENT, "no": LabelState.ABSENT,
    "-1": LabelState.UNCERTAIN, "-1.0": LabelState.UNCERTAIN, "uncertain": LabelState.UNCERTAIN,
    "": LabelState.UNKNOWN, "nan": LabelState.UNKNOWN, "none": LabelState.UNKNOWN, "null": LabelState.UNKNOWN,
    "na": LabelState.UNKNOWN, "n/a": LabelState.UNKNOWN, "<na>": LabelState.UNKNOWN,
    "-2": LabelState.UNKNOWN, "unknown": LabelState.UNKNOWN,
}  # fmt: skip


def label_key(name: str) -> str:
    """``"Pleural Effusion"`` → ``"pleural_effusion"``: the name a filter uses, one key per finding."""
    key = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
    return SYNONYMS.get(key, key)


def source_key(source: str) -> str:
    """The name of a source as filters write it: capitals do not count. Beyond ASCII a name is what it is."""
    return source.lower() if source.isascii() else source


def label_state(value: object) -> LabelState | None:
    """Read a cell of a label table; None when the value is not a label state at all."""
    return _STATES.get(str(value).strip().lower() if value is not None else "")


def merge(labels: Iterable[Label]) -> dict[str, LabelState]:
    """One state per finding for display: sources that contradict each other give *uncertain*."""
    merged: dict[str, LabelState] = {}
    for label in labels:
        if label.state is LabelState.UNKNOWN:
            continue
        seen = merged.get(label.name)
        merged[label.name] = label.state if seen in (None, label.state) else LabelState.UNCERTAIN
    return merged


def settle(labels: Iterable[Label]) -> list[Label]:
    """One statement per finding and source, unknown ones left out: a source that contradicts itself is *uncertain*."""
    said: dict[tuple[str, str], Label] = {}
    for label in labels:
        if label.state is LabelState.UNKNOWN:
            continue
        other = said.setdefault((label.source, label.name), label)
        if other.implicit and not label.implicit:  # a word outweighs a silence
            said[label.source, label.name] = label
        elif other.state is not label.state and other.implicit == label.implicit:
            said[label.source, label.name] = replace(other, state=LabelState.UNCERTAIN, score=None)
    return list(said.values())
