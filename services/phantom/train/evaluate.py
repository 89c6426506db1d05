"""Score the bundled encoders on films of patients that training never saw, through the loaders that everybody uses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from services.core.types import Film
from services.encoders.base import Encoder
from services.phantom import phrases
from services.phantom.claims import FALSE, TRUE, Claim, Truths, agreement
from services.phantom.train.data import load
from services.phantom.train.metrics import Interval, auroc_interval, purity, same_patient_first
from services.phantom.truth import DEVICES, FINDINGS, SIDED, SLOTS, SURE, PhantomFilm

BATCH = 64
QUERIES = {
    "effusion": "pleural effusion", "consolidation": "consolidation", "pneumothorax": "pneumothorax",
    "atelectasis": "atelectasis", "nodule": "lung nodule", "cardiomegaly": "cardiomegaly",
    "edema": "pulmonary edema", "emphysema": "emphysema", "pacemaker": "pacemaker",
    "ett": "endotracheal tube", "cvc": "central venous catheter", "sternotomy": "sternotomy wires",
}  # fmt: skip


@dataclass
class Scores:
    """Everything measured of one encoder; text scores are empty for an image-only one."""

    films: int
    patients: int
    finding: dict[str, Interval] = field(default_factory=dict)
    unseen_wording: dict[str, Interval] = field(default_factory=dict)
    side: dict[str, Interval] = field(default_factory=dict)
    negation: dict[str, Interval] = field(default_factory=dict)
    severity: dict[str, Interval] = field(default_factory=dict)
    purity_at_10: tuple[float, float] = (0.0, 0.0)
    same_patient: tuple[float, float, int] = (0.0, 0.0, 0)

    def mean(self, group: str) -> float:
        """Mean AUROC of a group of scores."""
        return float(np.mean([s.value for s in getattr(self, group).values()]))


def as_film(pixels: np.ndarray) -> Film:
    """``(H, W) uint8`` as the pipeline hands it to an encoder."""
    display = np.asarray(pixels)
    return Film(display, display.astype(np.uint16) * 257)


def encode_films(encoder: Encoder, pixels: Sequence[np.ndarray]) -> np.ndarray:
    """N films to ``(N, D) float32``."""
    return np.concatenate(
        [
            encoder.encode_images(np.stack([encoder.preprocess(as_film(p)) for p in pixels[i : i + BATCH]]))
            for i in range(0, len(pixels), BATCH)
        ]
    )


def score(encoder: Encoder, pixels: Sequence[np.ndarray], films: Sequence[PhantomFilm]) -> Scores:
    """All scores of one encoder on N films, ``pixels`` ``(H, W) uint8`` each."""
    vectors, truths = encode_films(encoder, pixels), Truths.of(films)
    patients = np.array([f.patient for f in films])
    out = Scores(len(films), len(set(patients.tolist())))
    if encoder.spec.text_space:
        _score_words(out, encoder, vectors, truths, patients)
    frontal = truths.view != "LATERAL"
    severities = truths.severity[frontal]
    has = np.stack(
        [
            severities[:, [i for i, s in enumerate(SLOTS) if s.startswith(f)]].max(1) >= SURE
            for f in (*FINDINGS, *DEVICES)
        ],
        1,
    )
    out.purity_at_10 = purity(vectors[frontal], has, patients[frontal])
    out.same_patient = same_patient_first(vectors[frontal], patients[frontal])
    return out


def _score_words(out: Scores, encoder: Encoder, vectors: np.ndarray, truths: Truths, patients: np.ndarray) -> None:
    def ranked(text: str, yes: np.ndarray, no: np.ndarray) -> Interval:
        rows = yes | no
        return auroc_interval((vectors @ encoder.encode_texts([text])[0])[rows], yes[rows], patients[rows])

    for subject, query in QUERIES.items():
        held = agreement(Claim(subject), truths)
        yes, no = held == TRUE, held == FALSE
        out.finding[subject] = ranked(query, yes, no)
        out.negation[subject] = ranked(f"no {query}", no, yes)
        for wording in phrases.UNSEEN[subject]:
            out.unseen_wording[wording] = ranked(wording, yes, no)
    for subject in SIDED:
        right, left = (agreement(Claim(subject, side), truths) for side in ("right", "left"))
        only_right, only_left = (right == TRUE) & (left == FALSE), (left == TRUE) & (right == FALSE)
        out.side[f"right {QUERIES[subject]}"] = ranked(f"right {QUERIES[subject]}", only_right, only_left)
        out.side[f"left {QUERIES[subject]}"] = ranked(f"left {QUERIES[subject]}", only_left, only_right)
    for text, subject in (
        ("large pleural effusion", "effusion"),
        ("severe cardiomegaly", "cardiomegaly"),
        ("severe pulmonary edema", "edema"),
        ("large pneumothorax", "pneumothorax"),
    ):
        large = agreement(Claim(subject, band="large"), truths) == TRUE
        small = agreement(Claim(subject, band="small"), truths) == TRUE
        out.severity[text] = ranked(text, large, small)


def evaluate(encoder: Encoder, data: Path) -> Scores:
    """Scores on a folder that ``data.generate`` wrote."""
    pixels, films = load(data)
    return score(encoder, pixels, films)


def table(scores: Scores) -> str:
    """The scores as Markdown."""
    lines = [f"{scores.films} films of {scores.patients} patients; AUROC with 95 % interval, patients resampled.", ""]
    for group, title in (
        ("finding", "Finding by its name"),
        ("side", "Side: that side's films above the other side's"),
        ("negation", 'Negation ("no ..."): films without above films with'),
        ("severity", "Severity: large above small"),
        ("unseen_wording", "Wordings that training never saw"),
    ):
        if held := getattr(scores, group):
            lines += [f"| {title} | AUROC | with | without |", "| --- | --- | --- | --- |"]
            lines += [f"| {name} | {s} | {s.positives} | {s.negatives} |" for name, s in held.items()]
            lines += [f"| **mean** | **{scores.mean(group):.3f}** | | |", ""]
    first, chance, asked = scores.same_patient
    lines += [
        "Frontal films as queries:",
        "",
        f"- share of the 10 nearest films of other patients that have the query's finding or device, mean over"
        f" {len(QUERIES)}: **{scores.purity_at_10[0]:.3f}** (by chance {scores.purity_at_10[1]:.3f})",
        f"- the nearest film is the same patient's: **{first:.3f}** (by chance {chance:.4f}; n = {asked})",
    ]
    return "\n".join(lines) + "\n"
