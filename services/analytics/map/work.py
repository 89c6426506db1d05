"""A map: of each model one graph, its clusters, its layout, what neighbours share, an atlas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.analytics import cluster, fuzzy, graph, layout, manifest, metrics, sample, snapshot, thumbnails
from services.analytics.agreement import Agreement, agreement, compare
from services.analytics.bench import Bench, Once
from services.analytics.map import report
from services.analytics.map.asked import MapAsked
from services.analytics.progress import Progress
from services.analytics.sample import Sample
from services.core.models import ModelSpec


@dataclass(frozen=True)
class View:
    """What a run found of one model: everything the report and the atlas draw."""

    spec: ModelSpec
    graph: graph.Graph
    partitions: dict[float, cluster.Partition]
    place: NDArray[np.float32]
    agreement: dict[str, Agreement]
    metrics: dict[str, object]


def run(bench: Bench[MapAsked]) -> None:
    """Make the run in the bench's folder."""
    asked, progress, films = bench.asked, bench.progress, bench.films
    labels = bench.labels
    classes = _classes(films, labels)
    pictures = bench.once("pictures", lambda: thumbnails.thumbnails(bench.facts, bench.blobs, films.ids, progress))
    views = []
    for spec in bench.specs:
        with bench.vectors(spec) as unit:
            view = look(unit, spec, asked, classes, films.patients, progress, bench.once)
        manifest.write_graph(bench.part, spec.name, view.graph)
        manifest.write_map(bench.part, spec.name, films.ids, view.place, view.partitions)
        snapshot.write(
            bench.part / "atlas" / spec.name, bench.run_id, films, labels, view.graph, view.partitions, view.place,
            pictures,
        )  # fmt: skip
        views.append(view)
    progress("report", 0, 1)
    _compare(views)
    manifest.write_json(bench.part / "metrics.json", {v.spec.name: v.metrics for v in views})
    content = bench.manifest({v.spec.name: _made_of(v) for v in views})
    (bench.part / "report.html").write_text(report.page(content, films, labels, views))
    manifest.write_json(bench.part / "manifest.json", content)
    progress("report", 1, 1)


def look(
    unit: NDArray[np.float32],
    spec: ModelSpec,
    asked: MapAsked,
    classes: dict[str, NDArray[np.int32]],
    patients: NDArray[np.int32],
    progress: Progress,
    once: Once,
) -> View:
    """Everything about one model's space, from one graph. unit: (N, D) float32, L2-normalised.  once: of the bench."""
    name = spec.name
    near = once(f"graph of {name}", lambda: graph.build(unit, asked.k, asked.seed, progress, f"graph of {name}"))
    edges = fuzzy.weights(near)
    partitions = once(f"clusters of {name}", lambda: _clusters(edges, asked, f"clusters of {name}", progress))
    place = once(
        f"map of {name}",
        lambda: layout.project(edges, unit, asked.seed, lambda done, total: progress(f"map of {name}", done, total)),
    )
    agreed, figures = once(
        f"metrics of {name}", lambda: _measure(unit, spec, asked, near, partitions, place, classes, patients, progress)
    )
    return View(spec, near, partitions, place, agreed, figures)


def _clusters(
    edges: sparse.csr_matrix, asked: MapAsked, stage: str, progress: Progress
) -> dict[float, cluster.Partition]:
    partitions = {}
    progress(stage, 0, len(asked.resolutions))
    for done, resolution in enumerate(asked.resolutions, 1):
        partitions[resolution] = cluster.leiden(edges, resolution, asked.seed)
        progress(stage, done, len(asked.resolutions))
    return partitions


def _measure(
    unit: NDArray[np.float32], spec: ModelSpec, asked: MapAsked, near: graph.Graph,
    partitions: dict[float, cluster.Partition], place: NDArray[np.float32], classes: dict[str, NDArray[np.int32]],
    patients: NDArray[np.int32], progress: Progress,
) -> tuple[dict[str, Agreement], dict[str, object]]:  # fmt: skip
    """How far neighbours agree, by label, and every figure."""
    steps = len(partitions) + len(classes) + 1
    stage = f"metrics of {spec.name}"
    progress(stage, 0, steps)
    clusters = []
    for done, (resolution, partition) in enumerate(partitions.items(), 1):
        clusters.append({
            "resolution": resolution,
            "clusters": len(partition.sizes),
            "sizes": partition.sizes,
            "modularity": partition.modularity,
            "silhouette": metrics.silhouette(unit, partition.members),
            "davies_bouldin": metrics.davies_bouldin(unit, partition.members),
            "labels": {label: metrics.purity(partition.members, codes) for label, codes in classes.items()},
        })  # fmt: skip
        progress(stage, done, steps)
    agreed: dict[str, Agreement] = {}
    for done, (label, codes) in enumerate(classes.items(), len(partitions) + 1):
        found = agreement(near, codes, patients, finding=not label.startswith("("))
        if found is not None:
            agreed[label] = found
        progress(stage, done, steps)
    seen = metrics.trustworthiness(unit, place, near, asked.seed)
    figures: dict[str, object] = {
        "films": len(unit),
        "dim": spec.dim,
        "k": near.k,
        "graph": near.method,
        "recall": near.recall,
        "recall_films": near.recall_films,
        **{name: clusters[0][name] for name in ("clusters", "modularity", "silhouette", "davies_bouldin")},
        "trustworthiness": seen["trustworthiness"],
        "map_neighbours_kept": seen["kept"],
        "map_films": seen["films"],
        "partitions": clusters,
        "neighbours": {label: found.as_json() for label, found in agreed.items()},
    }
    progress(stage, steps, steps)
    return agreed, figures


def _classes(films: Sample, labels: list[str]) -> dict[str, NDArray[np.int32]]:
    """What agreement is measured on: findings (0 absent, 1 present; uncertain and unknown left out as −1), then what
    may confound them."""
    classes: dict[str, NDArray[np.int32]] = {}
    for name in labels:
        codes = films.labels.get(name, np.full(len(films), sample.UNKNOWN, dtype=np.int8)).astype(np.int32)
        classes[name] = np.where(codes > 1, -1, codes)
    for name, values in (("view", films.view), ("sex", films.sex), ("dataset", films.dataset)):
        kinds = sorted(set(values) - {""})
        if len(kinds) > 1:
            place = {kind: code for code, kind in enumerate(kinds)}
            classes[f"({name})"] = np.array([place.get(value, -1) for value in values], dtype=np.int32)
    return classes


def _compare(views: list[View]) -> None:
    """Set each model against every other, on every label both could be measured on: the films are the same."""
    for view in views:
        against: dict[str, dict[str, object]] = {}
        for other in views:
            shared = sorted(view.agreement.keys() & other.agreement.keys()) if other is not view else []
            if shared:
                pairs = {label: compare(view.agreement[label], other.agreement[label]) for label in shared}
                against[other.spec.name] = dict(pairs)
        view.metrics["against"] = against


def _made_of(view: View) -> dict[str, object]:
    return {
        "graph_sha256": view.graph.sha256,
        "map_sha256": manifest.sha256(view.place),
        "clusters_sha256": {f"{r:g}": manifest.sha256(p.members) for r, p in view.partitions.items()},
        "graph_method": view.graph.method,
        "recall": view.graph.recall,
    }
