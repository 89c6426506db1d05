"""What understanding the words of a search gains over encoding them as they stand; and how well reports are read.

    python benchmarks/bench_words.py                     # phantoms: some minutes on one core
    python benchmarks/bench_words.py --only reports      # Open-i's real reports, from the torchxrayvision package
    python benchmarks/bench_words.py --quick

phantoms   held-out phantom films whose findings are known, and the encoder that ships. Every question is asked twice,
           plainly and understood: AUROC and the share of the first ten films for which it is true, means of questions.
           *blind*: the same with every "no", "not" and "without" taken out of what the text tower reads, as towers that
           do not know denial read them. Intervals of 95 %: patients resampled.
films      a phantom's report as the question: how often its own film is among the first ten, and what these show.
reports    mentions against the MeSH headings that readers coded in Open-i: precision and recall by finding.
"""

from __future__ import annotations

import argparse
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import files
from itertools import combinations, permutations
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "client")]

# ruff: noqa: E402 - the tree need not be installed
from services.phantom.claims import FALSE, TRUE, UNKNOWN, Band, Claim, Side, Truths, agreement, all_hold
from services.phantom.reports import report_rng, write_report
from services.phantom.train.metrics import auroc
from services.phantom.truth import FINDINGS, SIDED, PhantomFilm
from services.query.words import Polarity, WordsPlan, plain, understand, understood

SEED = 770_002  # of no training, no model card, and not of the films on which the weights were chosen (770,001)
RESAMPLES = 300
NAMES = {
    "effusion": "pleural effusion", "consolidation": "consolidation", "pneumothorax": "pneumothorax",
    "atelectasis": "atelectasis", "nodule": "lung nodule", "cardiomegaly": "cardiomegaly",
    "edema": "pulmonary edema", "emphysema": "emphysema", "pacemaker": "pacemaker",
    "ett": "endotracheal tube", "cvc": "central venous catheter", "sternotomy": "sternotomy wires",
}  # fmt: skip
_SIZED = ("effusion", "pneumothorax", "nodule")
_DENIALS = re.compile(r"\b(no|not|without|has resolved|cannot be excluded|clear of)\b ?")

Bool = NDArray[np.bool_]
Encode = Callable[[str], NDArray[np.float32]]
Reading = Callable[[str], WordsPlan]


@dataclass(frozen=True)
class Question:
    """A text, and for which films it is true: ``(N,)`` of TRUE, FALSE and UNKNOWN."""

    text: str
    held: NDArray[np.int8]

    @property
    def decided(self) -> bool:
        """Are there films of either kind?"""
        return min((self.held == TRUE).sum(), (self.held == FALSE).sum()) >= 3


class Gain(NamedTuple):
    """One figure, asked plainly and understood, and the difference with its 95 % interval."""

    plain: float
    understood: float
    low: float
    high: float

    def __str__(self) -> str:
        gain = self.understood - self.plain
        return f"{self.plain:.3f} | {self.understood:.3f} | {gain:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


@dataclass(frozen=True)
class Films:
    """N films: unit vectors ``(N, D)``, truths, and whose they are."""

    vectors: NDArray[np.float32]
    truths: Truths
    films: Sequence[PhantomFilm]

    @property
    def patients(self) -> NDArray[np.int64]:
        return np.array([film.patient for film in self.films])


def questions(truths: Truths) -> dict[str, list[Question]]:
    """Kind → questions of that kind over all findings, with the truth."""

    def ask(text: str, *claims: Claim) -> Question:
        return Question(text, all_hold(claims, truths))

    def no(subject: str) -> Claim:
        return Claim(subject, present=False)

    every, pairs = list(NAMES.items()), list(permutations(NAMES.items(), 2))
    sides: list[tuple[Side, Side]] = [("left", "right"), ("right", "left")]
    out = {
        "X": [ask(x, Claim(s)) for s, x in every],
        "no X": [ask(f"no {x}", no(s)) for s, x in every],
        "X has resolved": [ask(f"{x} has resolved", no(s)) for s, x in every],
        "no change in X": [ask(f"no change in {x}", Claim(s)) for s, x in every],
        "X cannot be excluded": [ask(f"{x} cannot be excluded", Claim(s)) for s, x in every],
        "no X or Y": [ask(f"no {x} or {y}", no(s), no(t)) for (s, x), (t, y) in combinations(every, 2)],
        "X and Y": [ask(f"{x} and {y}", Claim(s), Claim(t)) for (s, x), (t, y) in combinations(every, 2)],
        "X without Y": [ask(f"{x} without {y}", Claim(s), no(t)) for (s, x), (t, y) in pairs],
        "X but no Y": [ask(f"{x} but no {y}", Claim(s), no(t)) for (s, x), (t, y) in pairs],
        "no Y, X": [ask(f"no {y}, {x}", Claim(s), no(t)) for (s, x), (t, y) in pairs],
        "X, normal heart": [ask(f"{NAMES[s]}, normal heart size", Claim(s), no("cardiomegaly")) for s in SIDED],
        "left X": [ask(f"{d} {NAMES[s]}", Claim(s, d)) for s in SIDED for d, _ in sides],
        "left X, not right": [_one_side(s, d, o, truths) for s in SIDED for d, o in sides],
        "left X and right Y": [
            ask(f"{d} {NAMES[s]} and {o} {NAMES[t]}", Claim(s, d), Claim(t, o))
            for s, t in permutations(SIDED, 2) for d, o in sides
        ],
        "left X but no right X": [
            ask(f"{d} {NAMES[s]} but no {o} {NAMES[s]}", Claim(s, d), Claim(s, o, present=False))
            for s in SIDED for d, o in sides
        ],
        "small X": [ask(f"{_size(s, 'small')} {NAMES[s]}", Claim(s, band="small")) for s in FINDINGS],
        "large X": [ask(f"{_size(s, 'large')} {NAMES[s]}", Claim(s, band="large")) for s in FINDINGS],
    }  # fmt: skip
    return {kind: [question for question in asked if question.decided] for kind, asked in out.items()}


def compare(
    films: Films, asked: Sequence[Question], encode: Encode, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[Gain, Gain]:
    """(AUROC, precision among the first ten) of the questions, plain and understood, means over questions."""
    people, owner = np.unique(films.patients, return_inverse=True)
    draws = np.random.default_rng(seed).multinomial(len(people), np.full(len(people), 1 / len(people)), resamples)
    weights = np.vstack([np.ones(len(owner)), draws[:, owner]])  # the first row is the sample itself
    areas, tens = np.zeros((2, len(asked), len(weights))), np.zeros((2, len(asked), len(weights)))
    for row, reading in enumerate((plain, understood)):
        for column, question in enumerate(asked):
            known = question.held != UNKNOWN
            scores = films.vectors[known] @ vector_of(reading, question.text, encode)
            true = question.held[known] == TRUE
            areas[row, column] = auroc(scores, true, weights[:, known])
            tens[row, column] = precision_at(10, scores, true, weights[:, known])
    return _gain(areas), _gain(tens)


def precision_at(k: int, scores: NDArray[np.float32], true: Bool, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of true films among the first `k`, for each row of weights ``(R, N)``: how often a film was drawn."""
    order = np.argsort(-scores, kind="stable")
    drawn = weights[:, order]
    taken = np.clip(k - (np.cumsum(drawn, axis=1) - drawn), 0, drawn)
    return (taken * true[order]).sum(axis=1) / k


def vector_of(reading: Reading, text: str, encode: Encode) -> NDArray[np.float32]:
    """What a text becomes under a reading."""
    plan = reading(text)
    return plan.vector([encode(part) for part in plan.texts])


def own_films(films: Films, encode: Encode) -> dict[str, tuple[float, float, float, float]]:
    """Reading → of ill patients' reports: own film in the first ten, mean reciprocal rank of it, share of what is said
    to be there that the first ten of others show, and of what is said not to be there that they do not."""
    frontal = np.flatnonzero(films.truths.view != "LATERAL")
    vectors, truths, patients = films.vectors[frontal], films.truths[frontal], films.patients[frontal]
    _, firsts = np.unique(patients, return_index=True)
    out = {}
    for name, reading in (("plain", plain), ("understood", understood)):
        figures = []
        for row in firsts:
            film = films.films[frontal[row]]
            report = write_report(film, report_rng(film)).findings
            claims = [claim for claim in report.claims if claim.subject not in ("view", "sex")]
            if not any(claim.present for claim in claims):
                continue
            scores = vectors @ vector_of(reading, report.words, encode)
            rank = int((scores > scores[row]).sum())
            first = np.argsort(np.where(patients == patients[row], 2, -scores), kind="stable")[:10]
            shown = [(claim.present, (agreement(claim, truths[first]) == TRUE).mean()) for claim in claims]
            there, absent = ([share for is_there, share in shown if is_there is side] for side in (True, False))
            figures.append((rank < 10, 1 / (rank + 1), np.mean(there), np.mean(absent) if absent else np.nan))
        out[name] = tuple(float(x) for x in np.nanmean(np.array(figures, float), axis=0))
    return out  # type: ignore[return-value]


def towers() -> dict[str, Encode]:
    """The bundled encoder's text tower, and the same one when denials are hidden from it."""
    from services.encoders.bundled import CLIP
    from services.encoders.registry import Registry

    encoder = Registry.bundled().get(CLIP)

    @cache
    def encode(text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = encoder.encode_texts([text])[0]
        return vector

    return {"as it ships": encode, "blind to denial": lambda text: encode(" ".join(_DENIALS.sub("", text).split()))}


def drawn(count: int, seed: int = SEED, size: int = 0) -> Films:
    """`count` phantom films as an encoder of an archive sees them; `size` pixels, 0 for those of acquisition."""
    from services.encoders.bundled import CLIP
    from services.encoders.registry import Registry
    from services.phantom.film import display, render
    from services.phantom.train.data import acquire, films_of
    from services.phantom.train.evaluate import encode_films

    films = films_of(count, seed)
    pixels = []
    for done, film in enumerate(films, 1):
        pixels.append(display(render(film, size)) if size else acquire(film))
        if done % 100 == 0:
            print(f"\r{done} of {count} films", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return Films(encode_films(Registry.bundled().get(CLIP), pixels), Truths.of(films), films)


@dataclass
class Count:
    """Reports by what they were read to say of a finding; and those of them whose readers coded it."""

    coded: int = 0
    there: int = 0
    there_coded: int = 0
    doubted_coded: int = 0
    denied: int = 0
    denied_coded: int = 0

    @property
    def precision(self) -> float:
        """Of reports that say it is there: those coded."""
        return self.there_coded / max(self.there, 1)

    @property
    def recall(self) -> float:
        """Of those coded: reports that say it is there or may be."""
        return (self.there_coded + self.doubted_coded) / max(self.coded, 1)

    @property
    def right_denials(self) -> float:
        """Of reports that only deny it: those not coded."""
        return 1 - self.denied_coded / max(self.denied, 1)


# Finding of the grammar → MeSH headings, or beginnings of them, by which Open-i's readers code it.
CODED = {
    "cardiomegaly": ("Cardiomegaly", "Cardiac Shadow/enlarged"),
    "pleural_effusion": ("Pleural Effusion", "Costophrenic Angle/", "Hydropneumothorax", "Hemothorax"),
    "pneumothorax": ("Pneumothorax", "Hydropneumothorax", "Hemopneumothorax"),
    "atelectasis": ("Pulmonary Atelectasis", "Volume Loss"),
    "edema": ("Pulmonary Edema", "Pulmonary Congestion", "Heart Failure"),
    "consolidation": ("Consolidation",),
    "pneumonia": ("Pneumonia",),
    "lung_opacity": ("Opacity", "Airspace Disease", "Infiltrate", "Density/lung", "Lung Diseases, Interstitial"),
    "lung_lesion": ("Nodule", "Mass", "Cavitation"),
    "emphysema": ("Emphysema", "Pulmonary Emphysema", "Pulmonary Disease, Chronic Obstructive", "Lung/hyperdistention",
                  "Bullous Emphysema", "Lung, Hyperlucent", "Diaphragm/flattened", "Subcutaneous Emphysema", "Blister"),
    "fracture": ("Fractures, Bone",),
    "hernia": ("Hernia",),
    "granuloma": ("Granuloma", "Calcified Granuloma", "Granulomatous Disease"),
    "scar": ("Cicatrix",),
    "scoliosis": ("Scoliosis",),
    "support_devices": ("Catheters, Indwelling", "Implanted Medical Device", "Tube, Inserted", "Medical Device",
                        "Surgical Instruments", "Stents", "Sutures", "Foreign Bodies"),
    "degenerative_change": ("Spine/degenerative", "Thoracic Vertebrae/degenerative", "Spondylosis", "Osteophyte",
                            "Arthritis"),
    "tortuous_aorta": ("Aorta/tortuous", "Aorta, Thoracic/tortuous"),
}  # fmt: skip


def open_i() -> Iterator[tuple[str, list[str]]]:
    """(findings and impression, coded headings) of every report that has both."""
    archive = next((f for f in files("torchxrayvision") or () if f.name == "NLMCXR_reports.tgz"), None)
    if archive is None:
        raise SystemExit("Open-i's reports come with the torchxrayvision package; install it")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(str(archive.locate())) as packed:
        packed.extractall(folder, filter="data")
        for path in sorted(Path(folder).glob("**/*.xml")):
            root = ElementTree.parse(path).getroot()
            said = {e.get("Label"): "".join(e.itertext()).strip() for e in root.iter("AbstractText")}
            coded = [(e.text or "").strip() for e in root.iterfind("MeSH/major")]
            text = "\n".join(said.get(section, "") for section in ("FINDINGS", "IMPRESSION")).strip()
            if text and coded and coded != ["No Indexing"]:
                yield text, coded


def read_reports(reports: Iterable[tuple[str, list[str]]]) -> dict[str, Count]:
    """Finding → how its mentions agree with what readers coded; a ``no_finding`` are reports without any other."""
    counts = {finding: Count() for finding in CODED} | {"no_finding": Count()}
    for text, coded in reports:
        found: dict[str, set[Polarity]] = {}
        for mention in understand(text):
            found.setdefault(mention.finding, set()).add(mention.polarity)
        ill = {f for f, said in found.items() if f in CODED and said != {Polarity.ABSENT}}
        truth = {f for f, heads in CODED.items() if any(code.startswith(head) for code in coded for head in heads)}
        for finding in CODED:
            _count(counts[finding], found.get(finding, set()), finding in truth)
        _count(counts["no_finding"], {Polarity.ABSENT if ill else Polarity.PRESENT}, coded == ["normal"])
    return counts


def _count(count: Count, said: set[Polarity], coded: bool) -> None:
    there, denied = Polarity.PRESENT in said, said == {Polarity.ABSENT}
    count.coded += coded
    count.there += there
    count.there_coded += there and coded
    count.doubted_coded += coded and not there and Polarity.UNCERTAIN in said
    count.denied += denied
    count.denied_coded += denied and coded


def _one_side(subject: str, side: Side, other: Side, truths: Truths) -> Question:
    """That side's films against the other side's alone."""
    here, there = agreement(Claim(subject, side), truths), agreement(Claim(subject, other), truths)
    held = np.where(
        (here == TRUE) & (there == FALSE), TRUE, np.where((there == TRUE) & (here == FALSE), FALSE, UNKNOWN)
    )
    return Question(f"{side} {NAMES[subject]}", held.astype(np.int8))


def _size(subject: str, band: Band) -> str:
    return band if subject in _SIZED else {"small": "mild", "large": "severe"}[band]


def _gain(figures: NDArray[np.float64]) -> Gain:
    means = np.nanmean(figures, axis=1)
    low, high = np.percentile(means[1, 1:] - means[0, 1:], [2.5, 97.5])
    return Gain(float(means[0, 0]), float(means[1, 0]), float(low), float(high))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("phantoms", "films", "reports"))
    parser.add_argument("--n", type=int, default=800, help="phantom films")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--quick", action="store_true", help="few films and reports: see that it runs, quote nothing")
    args = parser.parse_args()
    if args.only != "reports":
        films = drawn(120 if args.quick else args.n, args.seed)
        print(f"{len(films.films)} phantom films of {len(set(films.patients.tolist()))} patients\n")
        for name, encode in towers().items():
            if args.only != "films":
                print(f"tower {name}: plain | understood | gain (95 % interval)\n")
                print("| question | n | AUROC | | | P@10 | | |\n|---|---|---|---|---|---|---|---|")
                for kind, asked in questions(films.truths).items():
                    areas, tens = compare(films, asked, encode)
                    print(f"| {kind} | {len(asked)} | {areas} | {tens} |", flush=True)
                print()
            if args.only != "phantoms":
                print(f"a report's own film, tower {name}: in the first ten, 1/rank, what is there, what is not")
                for reading, figures in own_films(films, encode).items():
                    print(f"  {reading:12s}" + "  ".join(f"{figure:.3f}" for figure in figures))
                print()
    if args.only in (None, "reports"):
        reports = [report for number, report in enumerate(open_i()) if not args.quick or number % 20 == 0]
        print(f"{len(reports)} reports of Open-i\n\n| finding | coded | precision | recall | denials not coded |")
        print("|---|---|---|---|---|")
        for finding, count in read_reports(reports).items():
            print(
                f"| {finding} | {count.coded} | {count.precision:.3f} | {count.recall:.3f} "
                f"| {count.right_denials:.3f} of {count.denied} |"
            )


if __name__ == "__main__":
    main()
