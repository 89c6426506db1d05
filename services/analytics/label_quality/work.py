"""Label quality: of each model the doubts about every finding's labels; sources beside one another; an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import cluster, fuzzy, graph, linear
from services.analytics.bench import Bench
from services.analytics.graph import Graph
from services.analytics.label_quality import confident, flip, report, sources
from services.analytics.label_quality.asked import LabelQualityAsked
from services.analytics.label_quality.confident import Doubts
from services.analytics.linear import Reading
from services.core.errors import ErrorCode, HilumError
from services.core.facts import images

ABLE = 0.6  # AUROC that is surely passed by a model whose doubts are worth something


@dataclass(frozen=True)
class Doubted:
    """Labels of one finding as one model doubts them. rows: (n,) films of the sample that state it, as in `doubts`.
    stated: (n,).  voters, agree: (n,) neighbours that state it, and the share that says the same."""

    model: str
    finding: str
    rows: NDArray[np.int64]
    stated: NDArray[np.int32]
    doubts: Doubts
    reading: Reading
    voters: NDArray[np.int64]
    agree: NDArray[np.float64]

    @property
    def able(self) -> bool:
        """Does the model know the finding well enough for its doubts to say something of labels?"""
        return self.reading.estimate.low > ABLE


def run(bench: Bench[LabelQualityAsked]) -> None:
    """Make the run in the bench's folder."""
    asked, films = bench.asked, bench.films
    records = images.get(bench.facts, films.ids)
    by = {finding: sources.said([records[i] for i in films.ids], finding) for finding in bench.labels}
    del records
    found: list[Doubted] = []
    flipped: dict[str, list[flip.At]] = {}
    for spec in bench.specs:
        with bench.vectors(spec) as unit:
            stage = f"graph of {spec.name}"
            build = partial(graph.build, unit, asked.k, asked.seed, bench.progress, stage, patients=films.patients)
            near = bench.once(stage, build)
            for done, finding in enumerate(bench.labels):
                bench.progress(f"doubts of {spec.name}", done, len(bench.labels))
                doubt = partial(_doubt, bench, spec.name, unit, near, finding)
                one = bench.once(f"{finding} doubted by {spec.name}", doubt)
                found += [one] if one else []
            if asked.flip:
                flipped[spec.name] = bench.once(f"flips of {spec.name}", partial(_flip, bench, spec.name, unit))
    if not found:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"no finding is stated, present and absent, of {asked.folds} patients each{bench.one_sided}; name labels "
            "or ask fewer folds",
        )
    suspects = _suspects(found, len(films))
    page = report.page(bench, found, suspects, by, flipped)
    bench.table("mislabels", _table(bench, found, by))
    metrics: dict[str, Any] = {spec.name: {"findings": {}} for spec in bench.specs}
    for one in found:
        metrics[one.model]["findings"][one.finding] = {
            "films": len(one.rows),
            "present": int(one.stated.sum()),
            "auroc": one.reading.estimate.as_json(),
            "suspected": int(one.doubts.suspected.sum()),
            "present_wrong": one.doubts.wrong(1) if one.able else None,
            "absent_wrong": one.doubts.wrong(0) if one.able else None,
        }
    for name, ats in flipped.items():
        metrics[name]["flip"] = [
            {"rate": at.rate, "films": at.films, **{m: e.as_json() for m, e in at.found.items()}} for at in ats
        ]
    bench.finish(metrics, page)


def _doubt(
    bench: Bench[LabelQualityAsked], model: str, unit: NDArray[np.float32], near: Graph, finding: str
) -> Doubted | None:
    """None where patients are too few."""
    asked, films = bench.asked, bench.films
    codes = films.labels[finding]
    rows = linear.some(np.flatnonzero((codes == 0) | (codes == 1)), linear.MOST, asked.seed)
    stated, patients = codes[rows].astype(np.int32), films.patients[rows]
    if not linear.enough(stated, patients, asked.folds):
        return None
    promise = linear.out_of_fold(unit[rows], stated, patients, asked.folds, asked.seed)
    voters, agree = confident.votes(near, codes)
    return Doubted(
        model, finding, rows, stated, confident.doubt(stated, promise),
        linear.reading(stated, promise, patients, asked.seed), voters[rows], agree[rows],
    )  # fmt: skip


def _flip(bench: Bench[LabelQualityAsked], model: str, unit: NDArray[np.float32]) -> list[flip.At]:
    """The experiment on films that state the finding, and their own graph and clusters."""
    asked, films = bench.asked, bench.films
    codes = films.labels.get(asked.flip, np.full(len(films), -1, dtype=np.int8))
    rows = linear.some(np.flatnonzero((codes == 0) | (codes == 1)), flip.MOST, asked.seed)
    truth, patients = codes[rows].astype(np.int32), films.patients[rows]
    if not linear.enough(truth, patients, asked.folds):
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"the finding to flip must be stated present and absent of {asked.folds} patients each; name another",
        )
    depth = max(asked.k, flip.DEPTH)
    near = graph.build(unit[rows], depth, asked.seed, bench.progress, f"flips of {model}", patients=patients)
    members = cluster.leiden(fuzzy.weights(near), 1.0, asked.seed).members
    return flip.experiment(
        unit[rows], truth, patients, near, members, asked.rates, asked.repeats, asked.folds, asked.seed,
        lambda done, total: bench.progress(f"flips of {model}", done, total),
    )  # fmt: skip


def _suspects(found: list[Doubted], films: int) -> dict[str, NDArray[np.int64]]:
    """finding → (N,) how many models able to suspect each film's label."""
    counts: dict[str, NDArray[np.int64]] = {}
    for one in found:
        count = counts.setdefault(one.finding, np.zeros(films, dtype=np.int64))
        if one.able:
            count[one.rows[one.doubts.suspected]] += 1
    return counts


def _table(
    bench: Bench[LabelQualityAsked], found: list[Doubted], by: dict[str, dict[str, NDArray[np.int8]]]
) -> dict[str, Any]:
    """One row for each model, finding and film that states it, the most doubtful first."""
    columns: dict[str, list[Any]] = {
        name: [] for name in (
            "model", "finding", "rank", "image_id", "patient", "stated", "sources", "probability_of_stated",
            "suspected", "neighbours", "neighbours_agree",
        )
    }  # fmt: skip
    for one in found:
        for rank, at in enumerate(one.doubts.order, 1):
            row = int(one.rows[at])
            agree = float(one.agree[at])
            values = (
                one.model, one.finding, rank, bench.films.ids[row], int(bench.films.patients[row]),
                report.STATED[int(one.stated[at])], report.who(by[one.finding], row), float(one.doubts.given[at]),
                bool(one.doubts.suspected[at]), int(one.voters[at]), agree if np.isfinite(agree) else None,
            )  # fmt: skip
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    return columns
