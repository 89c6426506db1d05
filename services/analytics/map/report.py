"""The report of a run: one HTML file that needs nothing else, for the eye; metrics.json is for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from services.analytics import picture
from services.analytics.agreement import Agreement
from services.analytics.atlas import NOTE
from services.analytics.sample import UNKNOWN, Sample
from services.analytics.snapshot import cluster_names

if TYPE_CHECKING:
    from services.analytics.map.work import View

_PICTURES = 12  # findings drawn per model, those stated most often
_LEGEND = (
    (picture.PRESENT, "present"), (picture.UNCERTAIN, "uncertain"), (picture.ABSENT, "absent"),
    (picture.UNKNOWN, "unknown"),
)  # fmt: skip


def page(manifest: Mapping[str, Any], films: Sample, labels: Sequence[str], views: Sequence[View]) -> str:
    """The whole document. Everything from data is escaped; there is no script in it."""
    rooms = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    rooms.filters["words"] = lambda label: label.replace("_", " ")
    asked = manifest["asked"]
    return rooms.get_template("report.html").render(
        run=manifest,
        note=NOTE,
        legend=_LEGEND,
        x=lambda value: f"{60 + 58 * float(np.clip(value, -1, 1)):.1f}",
        facts=[
            ("films", f"{manifest['films']:,}"), ("patients", f"{manifest['patients']:,}"),
            ("filter", asked["filter"] or "every film"), ("k", asked["k"]), ("seed", asked["seed"]),
            ("sample", manifest["sample_sha256"][:12]), ("made", manifest["finished_at"]),
        ],
        agreement=list(_agreement(views)),
        comparison=list(_comparison(views)),
        models=[_model(view, films, labels) for view in views],
    )  # fmt: skip


def _agreement(views: Sequence[View]) -> Iterator[tuple[str, str, Agreement]]:
    for label in dict.fromkeys(label for view in views for label in view.agreement):
        for view in views:
            if label in view.agreement:
                yield label, view.spec.name, view.agreement[label]


def _comparison(views: Sequence[View]) -> Iterator[tuple[str, str, str, Mapping[str, float]]]:
    for first, second in combinations(views, 2):
        against: Mapping[str, Any] = first.metrics["against"]  # type: ignore[assignment]
        for label, pair in against.get(second.spec.name, {}).items():
            yield label, first.spec.name, second.spec.name, pair


def _model(view: View, films: Sample, labels: Sequence[str]) -> dict[str, object]:
    first = next(iter(view.partitions.values()))
    stated = {name: int((films.labels[name] != UNKNOWN).sum()) for name in labels if name in films.labels}
    drawn = sorted(stated, key=lambda name: -stated[name])[:_PICTURES]
    return {
        "name": view.spec.name,
        "fingerprint": view.spec.fingerprint,
        "figures": view.metrics,
        "map": picture.by_cluster(view.place, first.members, sorted(set(cluster_names(first)))),
        "pictures": [(name, stated[name], picture.by_state(view.place, films.labels[name])) for name in drawn],
    }
