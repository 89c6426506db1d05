"""Findings in words, as the authors of each model ask for them, and the arithmetic of asking. No torch.

A finding is asked for by two sides: texts that say it is there, and texts that say it is not. Each side's vectors are
normalised, averaged and normalised again (Radford et al. 2021); a film's score is its cosine with the one side less
that with the other (CheXzero: Tiu et al. 2022; ELIXR: Xu et al. 2023).

Where a model's authors publish how they ask, `STYLES` does so and `source` says where; no real weights were run here,
so which wording is best for them is not known. On phantoms, with ``hilum-cxr-clip``, no ensemble or pair ranks films
better than the finding's bare name (mean AUROC of 12 findings 0.948 either way), so search by words keeps them bare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from services.core.labels import CHEXPERT, label_key

Vector = NDArray[np.float32]
HOLE = "{}"
_NO_FINDING = "no_finding"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to ask: texts for a finding, and texts against it (possibly none)."""

    name: str
    positive: tuple[str, ...]
    negative: tuple[str, ...] = ()

    def dressed(self, template: str) -> Prompt:
        """With `template` around every text; its ``{}`` is where the text goes."""
        put = tuple(template.replace(HOLE, text) for text in self.positive)
        return replace(self, positive=put, negative=tuple(template.replace(HOLE, text) for text in self.negative))


@dataclass(frozen=True, slots=True)
class Style:
    """How a model is asked. source: who says so.

    template: around every text.  present, absent: what is said of a finding, ``{}`` being its name.
    words: other names for findings.  lists: ask by the longer `LISTS` where a finding has one.
    """

    source: str
    template: str = HOLE
    present: tuple[str, ...] = (HOLE,)
    absent: tuple[str, ...] = ("no {}",)
    words: Mapping[str, str] = field(default_factory=dict)
    lists: bool = False


# The beginning of a model's name → its style; the longest one counts.
STYLES: Mapping[str, Style] = {
    "": Style("the pair of CheXzero, for models whose authors publish none"),
    "biomedclip": Style("model card: 'this is a photo of ' before every text", template="this is a photo of {}"),
    "biovil": Style(
        "hi-ml multimodal, zero-shot test for pneumonia; its wordings for opacities alone are left out",
        present=("Findings consistent with {}", "Findings suggesting {}", "Findings are most compatible with {}"),
        absent=("There is no {}", "No evidence of {}", "No evidence of acute {}", "No signs of {}"),
    ),
    "chexzero": Style("the authors' zero_shot.py: '{}' and 'no {}' of CheXpert's names"),
    "cxr-foundation": Style(
        "ELIXR: lists such as 'large pleural effusion' and 'no pleural effusion'; these lists are Hilum's", lists=True
    ),
    "hilum-cxr-clip": Style(
        "the words it was trained on",
        words={
            "edema": "pulmonary edema", "lung_lesion": "lung nodule", "lung_opacity": "airspace opacity",
            "support_devices": "support device", "enlarged_cardiomediastinum": "enlarged cardiac silhouette",
        },
    ),
    "medimageinsight": Style(
        "model catalogue: 'x-ray chest anteroposterior Pneumonia' and 'No Finding' among the classes",
        template="x-ray chest anteroposterior {}", absent=("No Finding",),
    ),
    "medsiglip": Style(
        "model page: 'pleural effusion present' and 'normal X-ray'", present=("{} present",), absent=("normal X-ray",)
    ),
}  # fmt: skip

# Findings whose label is no phrase of a report.
_WORDS = {"pleural_other": "pleural thickening", "hernia": "hiatal hernia", "fracture": "rib fracture"}

# What is asked when a label says that there is nothing: its negation is any disease at all.
_NORMAL = Prompt(
    _NO_FINDING,
    ("normal chest x-ray", "the lungs are clear", "no acute cardiopulmonary abnormality"),
    ("abnormal chest x-ray", "pleural effusion", "consolidation", "pneumothorax", "pulmonary edema", "cardiomegaly"),
)

LISTS: Mapping[str, Prompt] = {
    prompt.name: prompt
    for prompt in (
        Prompt("enlarged_cardiomediastinum", ("enlarged cardiomediastinum", "widened mediastinum"),
               ("normal cardiomediastinal contours", "no widening of the mediastinum")),
        Prompt("cardiomegaly", ("cardiomegaly", "enlarged heart", "severe cardiomegaly"),
               ("no cardiomegaly", "heart size is normal", "normal cardiac silhouette")),
        Prompt("lung_opacity", ("lung opacity", "opacity in the lungs", "airspace opacity"),
               ("no lung opacity", "the lungs are clear")),
        Prompt("lung_lesion", ("lung nodule", "pulmonary mass", "lung lesion"),
               ("no lung nodule or mass", "the lungs are clear")),
        Prompt("edema", ("pulmonary edema", "severe pulmonary edema", "interstitial edema"),
               ("no pulmonary edema", "no pulmonary vascular congestion")),
        Prompt("consolidation", ("consolidation", "lobar consolidation", "focal consolidation"),
               ("no consolidation", "no focal consolidation", "the lungs are clear")),
        Prompt("pneumonia", ("pneumonia", "findings suggest pneumonia"), ("no pneumonia", "no evidence of pneumonia")),
        Prompt("atelectasis", ("atelectasis", "bibasilar atelectasis", "lobar collapse"),
               ("no atelectasis", "the lungs are well expanded")),
        Prompt("pneumothorax", ("pneumothorax", "large pneumothorax", "apical pneumothorax"),
               ("no pneumothorax", "no evidence of pneumothorax")),
        Prompt("pleural_effusion", ("pleural effusion", "large pleural effusion", "small pleural effusion"),
               ("no pleural effusion", "costophrenic angles are sharp")),
        Prompt("pleural_other", ("pleural thickening", "pleural scarring"), ("no pleural thickening",)),
        Prompt("fracture", ("rib fracture", "displaced fracture"), ("no fracture", "no acute osseous abnormality")),
        Prompt("support_devices", ("endotracheal tube", "central venous catheter", "pacemaker"),
               ("no support devices", "no lines or tubes")),
    )
}  # fmt: skip

FINDINGS = tuple(label_key(name) for name in CHEXPERT)
"""What is asked for when nobody names findings: CheXpert's fourteen."""


def style_of(model: str) -> Style:
    """The style of the model of this name."""
    return STYLES[max((start for start in STYLES if model.startswith(start)), key=len)]


def prompt_of(finding: str, model: str) -> Prompt:
    """A finding as the model's authors would ask for it, not yet in the model's template.

    finding: a label such as ``pleural_effusion`` or ``Pleural Effusion``, or any words, which are asked for as such.
    """
    key, style = label_key(finding), style_of(model)
    if key == _NO_FINDING:
        return _NORMAL
    if style.lists and key in LISTS:
        return LISTS[key]
    plain = (key if key in FINDINGS else finding.strip()).replace("_", " ")
    words = style.words.get(key) or _WORDS.get(key) or plain
    said = (tuple(pattern.replace(HOLE, words) for pattern in side) for side in (style.present, style.absent))
    return Prompt(key or finding, *said)


def ensemble(vectors: Vector) -> Vector:
    """``(N, D)`` → ``(D,)``: normalised, averaged, normalised."""
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return _unit(units.mean(axis=0))


def direction(positive: Vector, negative: Vector | None = None) -> Vector:
    """Two ensembles ``(D,)`` → the unit vector to search by: from what is not meant to what is."""
    return _unit(positive if negative is None else positive - negative)


def score(image: Vector, positive: Vector, negative: Vector | None = None) -> float:
    """A film ``(D,)``, or ``(T, D)`` by its best token, and two ensembles ``(D,)`` → difference of cosines."""
    units = image / np.linalg.norm(image, axis=-1, keepdims=True)
    against = 0.0 if negative is None else float(np.max(units @ negative))
    return float(np.max(units @ positive)) - against


def probability(score: float, logit_scale: float) -> float:
    """The softmax over the pair, cosines times the model's trained scale. It ranks as the score does, and is calibrated
    on nothing: it is no probability of disease."""
    return float(1 / (1 + np.exp(-np.clip(logit_scale * score, -60, 60))))


def _unit(vector: Vector) -> Vector:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
