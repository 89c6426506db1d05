"""Everything of a run as columns and JSON: each figure, each film's promises, who was drawn and into which fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from services.analytics.estimate import Estimate
from services.analytics.probe.compared import Difference
from services.analytics.sample import Sample

if TYPE_CHECKING:
    from services.analytics.probe.work import Found, Study

Columns = dict[str, list[Any]]


def draws(films: Sample, study: Study) -> Columns:
    """draws.parquet: the films of each task, the same for every model."""
    return _columns(
        ("dataset", "label", "image_id", "present", "person", "fold"),
        (
            (task.dataset, task.label, films.ids[row], bool(has), int(who), int(fold))
            for task in study.tasks
            for row, has, who, fold in zip(task.rows, task.y, task.people, task.fold, strict=True)
        ),
    )


def promises(films: Sample, found: Sequence[Found]) -> Columns:
    """promises.parquet: P(present) of each film, by a probe that has seen no film of its patient."""
    return _columns(
        ("model", "classifier", "dataset", "label", "image_id", "present", "fold", "probability"),
        (
            (one.spec.name, classifier, *key, films.ids[row], bool(has), int(fold), float(p))
            for one in found
            for key, probed in one.probed.items()
            for classifier, promise in probed.promise.items()
            for row, has, fold, p in zip(probed.task.rows, probed.task.y, probed.task.fold, promise, strict=True)
        ),
    )


def figures(found: Sequence[Found]) -> Columns:
    """figures.parquet: mean over folds, the study's half-width, and the interval by patients."""
    rows = list[tuple[Any, ...]]()
    for one in found:
        for key, probed in one.probed.items():
            n, people, name = len(probed.task.y), probed.task.patients, one.spec.name
            for classifier, by in probed.figures.items():
                rows += [(name, *key, classifier, "cross-validation", m, *_row(f), n, people) for m, f in by.items()]
            for size, by in probed.curve.items():
                about = f"learned from {size}"
                rows += [(name, *key, "logistic", about, m, *_row(f), n, people) for m, f in by.items()]
        for (label, home, away), (by, less) in one.external.items():
            for about, kind in (("learned on", by), ("lost by learning on", less)):
                rows += [
                    (one.spec.name, away, label, "logistic", f"{about} {home}", m, *_row(f), None, None)
                    for m, f in kind.items()
                ]
        for tried in one.robust:
            rows += [
                (one.spec.name, *tried.task, "logistic", f"kept pictures: learned from {a}, asked on {b}", m, *_row(f),
                 tried.films, None)
                for (a, b), by in tried.figures.items() for m, f in by.items()
            ]  # fmt: skip
        rows += [
            (
                one.spec.name,
                *gap.task,
                "logistic",
                f"{about} {gap.group}",
                "AUROC",
                *_row(f),
                gap.films,
                len(gap.people),
            )
            for gap in one.gaps
            for about, f in (("within", gap.inside), ("within, less others:", gap.gap))
        ]
    names = ("model", "dataset", "label", "classifier", "about", "measure", "mean", "half_width", "low", "high",
             "films", "people")  # fmt: skip
    return _columns(names, rows)


def metrics(found: Sequence[Found], pairs: Sequence[Difference]) -> dict[str, Any]:
    """By model: dataset → label → classifier → figures; and how it stands against the others."""
    told: dict[str, Any] = {}
    for one in found:
        by: dict[str, Any] = {}
        for (dataset, label), probed in one.probed.items():
            by.setdefault(dataset, {})[label] = {
                "films": len(probed.task.y), "patients": probed.task.patients,
                "curve": {str(size): {m: f.as_json() for m, f in at.items()} for size, at in probed.curve.items()},
                **{
                    classifier: {
                        **{m: f.as_json() for m, f in measured.items()},
                        **{
                            name: value.as_json() if isinstance(value, Estimate) else value
                            for name, value in one.trust[(dataset, label), classifier].items()
                        },
                    }
                    for classifier, measured in probed.figures.items()
                },
            }  # fmt: skip
        told[one.spec.name] = {
            "probes": by,
            "against": [
                {
                    "other": d.other, "dataset": d.task[0] if d.task else "", "label": d.task[1] if d.task else "",
                    "classifier": d.classifier, "measure": d.measure, **d.found.estimate.as_json(), "p": _known(d.p),
                    "p_holm": _known(d.p_holm),
                }
                for d in pairs if d.one == one.spec.name
            ],
            "kept_picture_cosine": None if one.likeness is None or not np.isfinite(one.likeness).any() else {
                "median": float(np.nanmedian(one.likeness)), "p05": float(np.nanpercentile(one.likeness, 5)),
                "films": int(np.isfinite(one.likeness).sum()),
            },
        }  # fmt: skip
    return told


def _row(found: Any) -> tuple[float, float, float, float]:
    estimate = found.estimate
    return estimate.value, found.half if len(found.folds) > 1 else float("nan"), estimate.low, estimate.high


def _columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Columns:
    kept = list(rows)
    return {name: [row[place] for row in kept] for place, name in enumerate(names)}


def _known(p: float) -> float | None:
    return p if np.isfinite(p) else None
