"""Classes in a space: compactness, separation and overlap of films with one finding, and where films with two lie.

The classes are findings. A film belongs to one when exactly one of them is stated present (*pure*); to *none* when all
of them are stated absent, or "no finding" present; a film with two or more is *multi-label*, and is in no class: it is
placed between them. A film with one uncertain is in no class, and one with nothing present and something unknown
neither: silence is not absence. Where one finding is present, silence on the others is borne, or little would be left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from services.analytics.estimate import Estimate
from services.analytics.graph import Graph
from services.analytics.resample import means, weights
from services.analytics.sample import Sample
from services.analytics.structure.terms import whole

NONE = "none of these"
MIN_PURE = 10  # films (and patients) that make a class
STUDIED = ("atelectasis", "cardiomegaly", "consolidation", "edema", "pleural_effusion")  # CheXpert's five
MAX_CLASSES = 8  # of findings, those most films have alone
MIN_MIXED = 5
MOST = 20_000  # films that figures are drawn again on
MEASURES = ("silhouette", "davies_bouldin", "intra", "inter", "purity")
_BATCH = 2**21  # products at a time


@dataclass(frozen=True)
class Classes:
    """names: of the classes, the last may be NONE.  of: (N,) int32 class of the pure films, −1 others.  has: (N, L)
    bool, findings present, in the order of `findings`.  mixed: rows of multi-label films."""

    names: list[str]
    findings: list[str]
    of: NDArray[np.int32]
    has: NDArray[np.bool_]

    @property
    def mixed(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.has.sum(axis=1) > 1)


def studied(labels: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The findings to make classes of: those asked for, else CheXpert's five where two of them can be, else all."""
    five = [name for name in STUDIED if name in labels]
    return list(asked) or (five if len(five) > 1 else whole(labels))


def sort(films: Sample, labels: Sequence[str]) -> Classes | None:
    """Films by their findings; None where there are not two classes to tell apart. A finding is a class when films of
    MIN_PURE patients have it alone."""
    findings = [name for name in labels if name in films.labels and name != "no_finding"]
    if not findings:
        return None
    codes = np.stack([films.labels[name] for name in findings], axis=1)
    present, count = codes == 1, (codes == 1).sum(axis=1)
    doubtful = (codes == 2).any(axis=1)
    alone = np.where((count == 1) & ~doubtful, present.argmax(axis=1), -1)
    healthy = films.labels.get("no_finding", np.full(len(films), -1, dtype=np.int8)) == 1
    alone = np.where((count == 0) & ((codes == 0).all(axis=1) | (healthy & ~doubtful)), len(findings), alone)
    names = [*findings, NONE]
    people = [len(np.unique(films.patients[alone == number])) for number in range(len(names))]
    kept = sorted(range(len(findings)), key=lambda number: -people[number])[:MAX_CLASSES]
    enough = [number for number in [*sorted(kept), len(findings)] if people[number] >= MIN_PURE]
    if len(enough) < 2:
        return None
    place = np.full(len(names) + 1, -1, dtype=np.int32)
    place[enough] = np.arange(len(enough))
    return Classes([names[number] for number in enough], findings, place[alone], present)


@dataclass(frozen=True)
class Drawn:
    """Figures of one space, whole and in each draw of the patients: name → ((), (B,)); by class → ((C,), (B, C))."""

    whole: Mapping[str, NDArray[np.float64]]
    draws: Mapping[str, NDArray[np.float64]]

    def estimate(self, name: str, column: int | None = None) -> Estimate:
        whole, draws = self.whole[name], self.draws[name]
        return about(whole, draws) if column is None else about(whole[column], draws[:, column])

    def less(self, other: Drawn, name: str) -> Estimate:
        """This less the other, over the same draws: what moves both, cancels."""
        return about(self.whole[name] - other.whole[name], self.draws[name] - other.draws[name])


def about(value: float | np.floating, draws: NDArray[np.float64]) -> Estimate:
    """The value, and 1.96 standard deviations of its draws about it. Not their percentiles: the fewer different films
    there are in a draw, the further apart are its middles, so that separation drawn again lies beside the true one."""
    known = draws[np.isfinite(draws)]
    margin = 1.959964 * float(known.std(ddof=1)) if len(known) > 1 else float("nan")
    return Estimate(float(value), float(value) - margin, float(value) + margin)


def measure(
    unit: NDArray[np.float32],
    classes: Classes,
    patients: NDArray[np.int32],
    purity: NDArray[np.float64],
    draws: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Drawn:
    """unit: (N, D), L2-normalised.  purity: (N,) of each pure film the share of its neighbours of other patients with a
    class that are of its own, NaN where there are none.

    silhouette: cosine, mean over films (by class: of its films).  davies_bouldin: euclidean.  intra: mean cosine
    distance of two films of a class, and inter: of films of two classes, each the mean over classes. A film drawn twice
    is never compared with its copy. Of very many films MOST are measured.
    """
    rows = np.flatnonzero(classes.of >= 0)
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))
    points, own = unit[rows].astype(np.float64), classes.of[rows]
    _, person = np.unique(patients[rows], return_inverse=True)
    people = int(person.max()) + 1
    ones = np.ones((1, people))
    draw = np.concatenate([ones, weights(people, draws, seed)])
    step = max(1, _BATCH // (len(rows) * len(classes.names)))
    found: dict[str, list[NDArray[np.float64]]] = {}
    for start in range(0, len(draw), step):
        part = _figures(points, own, draw[start : start + step][:, person], len(classes.names), purity[rows])
        for name, values in part.items():
            found.setdefault(name, []).append(values)
        progress(min(start + step, len(draw)), len(draw))
    joined = {name: np.concatenate(values) for name, values in found.items()}
    return Drawn({n: v[0] for n, v in joined.items()}, {n: v[1:] for n, v in joined.items()})


def _figures(
    points: NDArray[np.float64],
    own: NDArray[np.int32],
    times: NDArray[np.float64],
    kinds: int,
    purity: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Each figure in each of B draws. points: (M, D); times: (B, M) how often each film was drawn."""
    member = np.eye(kinds)[own]  # (M, C)
    row, draws = np.arange(len(points)), len(times)
    sizes = times @ member  # (B, C)
    sums = np.stack([(member * one[:, None]).T @ points for one in times])  # (B, C, D)
    towards = np.einsum("md,bcd->bmc", points, sums, optimize=True)
    itself = times * (points**2).sum(axis=1)[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = 1.0 - (towards[:, row, own] - itself) / (sizes[:, own] - times)
        outside = 1.0 - towards / sizes[:, None, :]
        outside[:, row, own] = np.inf
        outside[np.isnan(outside)] = np.inf  # a class that was not drawn
        nearest = outside.min(axis=2)
        score = (nearest - inside) / np.maximum(inside, nearest)
        # A film alone in its class counts 0 (Rousseeuw 1987).
        score = np.where(sizes[:, own] - times < 1, 0.0, score)
        centres = sums / sizes[:, :, None]
        square = (centres**2).sum(axis=2)  # (B, C)
        apart = _root((points**2).sum(axis=1)[None, :] - 2 * towards[:, row, own] / sizes[:, own] + square[:, own])
        spread = ((apart * times) @ member) / sizes
        alike = np.einsum("bcd,bed->bce", centres, centres, optimize=True)
        between = _root(square[:, :, None] + square[:, None, :] - 2 * alike)
        between[:, np.arange(kinds), np.arange(kinds)] = np.inf
        ratio = np.where(np.isfinite(between), (spread[:, :, None] + spread[:, None, :]) / between, -np.inf)
        pairs = sizes**2 - times**2 @ member
        within = 1.0 - ((sums**2).sum(axis=2) - times**2 @ (member * (points**2).sum(axis=1)[:, None])) / pairs
        across = 1.0 - alike
        across[:, np.arange(kinds), np.arange(kinds)] = np.nan
        kept = np.where(np.isnan(purity), 0.0, times)
        pure = (kept * np.nan_to_num(purity)) @ member / (kept @ member)
        return {
            "silhouette": (score * times).sum(axis=1) / times.sum(axis=1),
            "silhouette_by_class": ((score * times) @ member) / sizes,
            "davies_bouldin": np.nanmean(np.where(sizes > 0, ratio.max(axis=2), np.nan), axis=1),
            "intra": np.nanmean(within, axis=1),
            "intra_by_class": within,
            "inter": np.nanmean(across.reshape(draws, -1), axis=1),
            "inter_by_class": np.nanmean(across, axis=2),
            "purity": (kept * np.nan_to_num(purity)).sum(axis=1) / kept.sum(axis=1),
            "purity_by_class": pure,
        }


def _root(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(squares, 0.0))


def overlap(
    near: Graph, classes: Classes, patients: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(C, C): of the neighbours of other patients of a class' pure films, the share that is of each class; and (N,) of
    each pure film the share of its own, NaN where it has no such neighbour."""
    kinds = len(classes.names)
    of, beside = classes.of[:, None], classes.of[near.ids]
    usable = (of >= 0) & (beside >= 0) & (patients[near.ids] != patients[:, None])
    table = np.zeros((kinds, kinds))
    np.add.at(table, (np.broadcast_to(of, beside.shape)[usable], beside[usable]), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (usable & (beside == of)).sum(axis=1) / usable.sum(axis=1)
        return table / table.sum(axis=1, keepdims=True), share


@dataclass(frozen=True)
class Between:
    """Films with two findings on the way from the middle of the one's pure films (0) to that of the other's (1).
    position: mean, with its interval by patient.  amid: share between 0.25 and 0.75."""

    one: str
    other: str
    films: int
    patients: int
    position: Estimate
    amid: float


def mixtures(unit: NDArray[np.float32], classes: Classes, patients: NDArray[np.int32], seed: int) -> list[Between]:
    """Every pair of classes that enough films have both, and no third of the findings."""
    found = []
    named = [name for name in classes.names if name != NONE]
    exactly_two = classes.has.sum(axis=1) == 2
    for one, other in combinations(named, 2):
        both = classes.has[:, classes.findings.index(one)] & classes.has[:, classes.findings.index(other)]
        rows = np.flatnonzero(both & exactly_two)
        people = len(np.unique(patients[rows]))
        if people < MIN_MIXED:
            continue
        start, end = (
            unit[classes.of == classes.names.index(name)].mean(axis=0, dtype=np.float64) for name in (one, other)
        )
        way = end - start
        place = (unit[rows] - start) @ way / max(float(way @ way), 1e-12)
        position = means(place[:, None], patients[rows], seed)[0]
        found.append(Between(one, other, len(rows), people, position, float(((place > 0.25) & (place < 0.75)).mean())))
    return found
